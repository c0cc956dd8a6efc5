"""Restart policies and their back-off (engine.md C5)."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine import ContainerProblem, Resources, RestartPolicy
from engine.containers.restart import LONGEST_DELAY_S, Restarts
from tests.engine.containers.dock import status_of
from tests.marks import needs_root
from tests.waiting import eventually

if TYPE_CHECKING:
    from tests.engine.containers.dock import Dock

ALWAYS = RestartPolicy(name="always")
MIB = 1024 * 1024
ENDS_AT_USR1 = "trap 'exit 1' USR1; echo ready; while :; do sleep 0.05; done"
UNLESS_STOPPED = RestartPolicy(name="unless-stopped")


@pytest.mark.parametrize(
    ("name", "code", "again"),
    [
        ("no", 1, False),
        ("no", 0, False),
        ("always", 0, True),
        ("always", 137, True),
        ("unless-stopped", 0, True),
        ("on-failure", 0, False),
        ("on-failure", 1, True),
        ("on-failure", 143, True),
    ],
)
def test_which_ends_are_followed_by_a_start(name: str, code: int, again: bool) -> None:
    assert (Restarts(name, 0).delay(code, 0.0) is not None) == again


def test_the_wait_doubles_to_a_minute_and_is_short_again_after_a_long_run() -> None:
    restarts = Restarts("always", 0)
    waits = [restarts.delay(0, 1.0) for _ in range(12)]
    assert waits[:5] == [0.1, 0.2, 0.4, 0.8, 1.6]
    assert waits[9:] == [51.2, LONGEST_DELAY_S, LONGEST_DELAY_S]
    assert restarts.delay(0, 9.99) == LONGEST_DELAY_S
    assert restarts.delay(0, 10.0) == 0.1
    assert restarts.delay(0, 0.0) == 0.2


def test_on_failure_counts_its_attempts_over_long_runs() -> None:
    restarts = Restarts("on-failure", 3)
    assert [restarts.delay(1, 100.0) is not None for _ in range(5)] == [True] * 3 + [False] * 2
    assert restarts.count == 3


@needs_root
def test_on_failure_gives_up_after_its_attempts(dock: Dock) -> None:
    policy = RestartPolicy(name="on-failure", max_attempts=2)
    before = time.monotonic()
    ended = dock.sh("echo run; exit 3", restart=policy)
    assert ended.lines == ["run"] * 3
    assert (ended.code, ended.container.restart_count) == (3, 2)
    assert time.monotonic() - before >= 0.3  # 0.1 and 0.2


@needs_root
def test_one_whose_group_somebody_kills_is_started_again(dock: Dock) -> None:
    """The kernel kills who is born in a group that has been killed (since Linux 6.14)."""
    container = dock.idle(restart=ALWAYS)
    groups = dock.cgroups(container)
    switches = [path / "cgroup.kill" for path in groups if (path / "cgroup.kill").exists()]
    if not switches:
        pytest.skip("no group can be killed as one here")
    switches[0].write_text("1")
    again = dock.wait(container, lambda c: c.restart_count == 1 and c.status == "running")
    assert status_of(Path(f"/proc/{again.pid}/status").read_text())["NSpid"].split()[-1] == "1"
    for group in groups:
        assert (group / "cgroup.procs").read_text().split() == [str(again.pid)]


@needs_root
def test_a_start_by_hand_counts_anew(dock: Dock) -> None:
    policy = RestartPolicy(name="on-failure", max_attempts=1)
    container = dock.idle(restart=policy)
    os.kill(container.pid or 0, signal.SIGKILL)
    again = dock.wait(container, lambda c: c.status == "running" and c.pid != container.pid)
    os.kill(again.pid or 0, signal.SIGKILL)
    assert dock.end_of(container).container.restart_count == 1
    anew = dock.start_again(container)
    assert anew.restart_count == 0
    os.kill(anew.pid or 0, signal.SIGKILL)
    assert dock.wait(container, lambda c: c.restart_count == 1)


@needs_root
def test_a_restarted_container_keeps_its_files_and_its_network(dock: Dock) -> None:
    script = "echo x >> /count; wc -l < /count; readlink /proc/self/ns/net; exit 1"
    ended = dock.sh(script, restart=RestartPolicy(name="on-failure", max_attempts=1))
    count, network, again, same = ended.lines
    assert (count.strip(), again.strip()) == ("1", "2")
    assert network == same


@needs_root
def test_between_two_runs_it_is_restarting_with_the_last_exit_code(dock: Dock) -> None:
    container = dock.start("sh", "-c", "exit 4", restart=ALWAYS)
    monitor = dock.monitor(container) or 0

    def is_held() -> bool:
        """Its monitor stands still between two runs."""
        dock.wait(container, lambda c: c.restart_count >= 3 and c.status == "restarting")
        os.kill(monitor, signal.SIGSTOP)
        if dock.get(container).status == "restarting":
            return True
        os.kill(monitor, signal.SIGCONT)
        return False

    assert eventually(is_held)
    try:
        waiting = dock.get(container)
        assert (waiting.exit_code, waiting.pid) == (4, None)
        with pytest.raises(ContainerProblem, match="restarting"):
            dock.engine.containers.remove(container.id)
        with pytest.raises(ContainerProblem, match="is restarting"):
            dock.exec(container, "true")
    finally:
        os.kill(monitor, signal.SIGCONT)


@needs_root
def test_a_stop_ends_the_wait(dock: Dock) -> None:
    container = dock.start("true", restart=ALWAYS)
    waiting = dock.wait(container, lambda c: c.restart_count >= 4 and c.status == "restarting")
    stopped = dock.stop(container)
    assert stopped.status == "exited"
    # as it was, or with one run more that began meanwhile
    assert stopped.restart_count - waiting.restart_count in (0, 1)


@needs_root
@pytest.mark.parametrize("policy", [ALWAYS, UNLESS_STOPPED], ids=lambda policy: policy.name)
def test_what_was_stopped_by_hand_stays_so(dock: Dock, policy: RestartPolicy) -> None:
    container = dock.idle(restart=policy)
    dock.stop(container)
    time.sleep(0.3)
    found = dock.get(container)
    assert (found.status, found.restart_count) == ("exited", 0)
    assert dock.engine.containers.row(container.id)["manually_stopped"] == 1
    dock.start_again(container)
    assert dock.engine.containers.row(container.id)["manually_stopped"] == 0


@needs_root
def test_a_kill_by_hand_ends_the_restarts(dock: Dock) -> None:
    container = dock.idle(restart=ALWAYS)
    dock.kill(container)
    assert dock.end_of(container).code == 137
    assert dock.engine.containers.row(container.id)["manually_stopped"] == 1


@needs_root
def test_a_kill_ends_the_wait(dock: Dock) -> None:
    container = dock.start("true", restart=ALWAYS)
    dock.wait(container, lambda c: c.restart_count >= 4 and c.status == "restarting")
    dock.kill(container)
    ended = dock.wait(container, lambda c: c.status == "exited")
    assert ended.exit_code in (0, 137)  # that of the last run, or of one that has just begun


@needs_root
def test_a_signal_that_is_not_the_stop_signal_leaves_the_policy(dock: Dock) -> None:
    container = dock.start("sh", "-c", ENDS_AT_USR1, restart=ALWAYS, stop_signal="SIGTERM")
    dock.wait_for_line(container, "ready")
    dock.kill(container, "USR1")
    assert dock.wait(container, lambda c: c.restart_count == 1)


@needs_root
def test_without_a_stop_signal_any_signal_by_hand_ends_the_restarts(dock: Dock) -> None:
    container = dock.start("sh", "-c", ENDS_AT_USR1, restart=ALWAYS)
    dock.wait_for_line(container, "ready")
    dock.kill(container, "USR1")
    assert dock.end_of(container).code == 1


@needs_root
def test_a_container_that_was_killed_for_memory_is_started_again(dock: Dock) -> None:
    script = "test -e /again && exec sleep 1000; touch /again; exec tail -c 200m /dev/zero"
    limits = Resources(memory_bytes=16 * MIB, memory_swap_bytes=16 * MIB)
    container = dock.start("sh", "-c", script, restart=ALWAYS, resources=limits)
    again = dock.wait(container, lambda c: c.restart_count == 1 and c.status == "running")
    assert again.previous_exit_code == 137


@needs_root
def test_an_init_that_others_kill_is_started_again(dock: Dock) -> None:
    container = dock.idle(restart=ALWAYS)
    os.kill(container.pid or 0, signal.SIGKILL)
    again = dock.wait(container, lambda c: c.restart_count == 1 and c.status == "running")
    assert again.pid != container.pid


@needs_root
def test_a_restart_that_cannot_be_is_the_end(dock: Dock) -> None:
    script = "rm /bin/sh; exit 1"
    ended = dock.sh(script, restart=ALWAYS)
    assert (ended.container.status, ended.code) == ("exited", 127)
    assert "sh: not found" in (ended.container.error or "")
