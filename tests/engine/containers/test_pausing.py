"""Paused containers: frozen, watched all the same, and able to end."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from engine import ContainerProblem, HealthcheckSpec
from engine.cgroups import freezer
from engine.containers.group import find_cgroup
from engine.containers.mending import mend
from tests.marks import needs_root
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine import Container
    from tests.engine.containers.dock import Dock

pytestmark = needs_root
COUNT = "trap 'exit 5' TERM; i=0; while :; do echo $i; i=$((i+1)); sleep 0.01; done"


def pause(dock: Dock, container: Container) -> None:
    dock.run(dock.engine.containers.pause(container.id))


def unpause(dock: Dock, container: Container) -> None:
    dock.run(dock.engine.containers.unpause(container.id))


def settled(look: Callable[[], Any], still_s: float = 0.1) -> Any:
    """What there is to see once it has not changed for a while: something was on its way."""
    seen = []

    def still() -> bool:
        seen.append(look())
        time.sleep(still_s)
        return bool(look() == seen[-1])

    assert eventually(still)
    return seen[-1]


def actions(dock: Dock, container: Container) -> list[str]:
    rows = dock.engine.db.execute(
        "SELECT action FROM events WHERE subject = ? AND action LIKE '%pause' ORDER BY rowid",
        (container.id,),
    )
    return [row["action"] for row in rows]


def test_a_paused_container_stands_still_and_goes_on(dock: Dock) -> None:
    container = dock.start("sh", "-c", COUNT)
    dock.wait_for_line(container, "3")
    pause(dock, container)
    assert dock.get(container).status == "paused"
    before = settled(lambda: dock.text(container))
    with pytest.raises(ContainerProblem, match="it is paused"):
        pause(dock, container)
    unpause(dock, container)
    assert dock.get(container).status == "running"
    dock.wait_for_line(container, str(len(before.splitlines()) + 1))
    with pytest.raises(ContainerProblem, match="is not paused") as caught:
        unpause(dock, container)
    assert caught.value.code == "container-not-paused"
    assert actions(dock, container) == ["pause", "unpause"]


def test_nothing_is_executed_in_it_nor_is_it_started_or_removed(dock: Dock) -> None:
    container = dock.idle()
    pause(dock, container)
    for attempt in (
        lambda: dock.exec(container, "true"),
        lambda: dock.start_again(container),
    ):
        with pytest.raises(ContainerProblem, match="is paused") as caught:
            attempt()
        assert caught.value.code == "container-paused"
    with pytest.raises(ContainerProblem, match="paused"):
        dock.engine.containers.remove(container.id)


def test_stopping_lets_it_hear_of_it(dock: Dock) -> None:
    container = dock.start("sh", "-c", COUNT)
    dock.wait_for_line(container, "1")
    pause(dock, container)
    stopped = dock.stop(container, grace_s=60)
    assert (stopped.status, stopped.exit_code) == ("exited", 5)


@pytest.mark.parametrize("name", ["SIGKILL", "SIGTERM"])
def test_a_signal_that_ends_it_ends_it(dock: Dock, name: str) -> None:
    container = dock.start("sh", "-c", COUNT)
    dock.wait_for_line(container, "1")
    pause(dock, container)
    dock.kill(container, name)
    assert dock.end_of(container).code == (137 if name == "SIGKILL" else 5)


def test_other_signals_wait(dock: Dock) -> None:
    container = dock.start("sh", "-c", f"trap 'echo heard' USR1; {COUNT}")
    dock.wait_for_line(container, "1")
    pause(dock, container)
    dock.kill(container, "SIGUSR1")
    assert dock.get(container).status == "paused"
    time.sleep(0.05)
    assert "heard" not in dock.text(container)
    unpause(dock, container)
    dock.wait_for_line(container, "heard")


def test_it_is_unpaused_though_one_above_is_frozen(dock: Dock) -> None:
    container = dock.idle()
    pause(dock, container)
    directories = find_cgroup(dock.engine.roots, container.id).directories
    above = {kind: str(Path(path).parent) for kind, path in directories.items()}
    freezer.set_frozen(above, frozen=True)
    try:
        unpause(dock, container)
        assert dock.get(container).status == "running"
    finally:
        freezer.set_frozen(above, frozen=False)
    assert dock.exec(container, "echo", "runs").stdout == b"runs\n"


def test_a_container_that_does_not_run_is_not_paused(dock: Dock) -> None:
    created = dock.create("true")
    with pytest.raises(ContainerProblem, match="it is created"):
        pause(dock, created)
    with pytest.raises(ContainerProblem, match="not paused"):
        unpause(dock, created)


def test_its_health_is_left_alone(dock: Dock) -> None:
    check = HealthcheckSpec(test=("CMD", "true"), interval_s=0.05)
    container = dock.idle(healthcheck=check)
    dock.wait(container, lambda one: one.health == "healthy")
    pause(dock, container)
    before = settled(lambda: dock.state(container)["health"], 0.2)
    assert before["status"] == "healthy"
    unpause(dock, container)
    dock.wait(container, lambda one: one.health == "healthy")
    log = before["log"][-1]
    dock.wait(container, lambda _: dock.state(container)["health"]["log"][-1] != log)


def test_a_paused_container_whose_monitor_is_killed_is_cleaned_up(dock: Dock) -> None:
    container = dock.idle()
    pause(dock, container)
    monitor = dock.monitor(container)
    assert monitor
    os.kill(monitor, signal.SIGKILL)
    ended = dock.wait(container, lambda one: one.status == "exited")
    assert ended.exit_code == 137
    mend(dock.engine.containers)
    assert not dock.cgroups(container)  # so nothing is left in it
