"""Health probes, run by the monitor (engine.md C6)."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from engine import HealthcheckSpec, RestartPolicy
from engine.containers.group import find_cgroup
from tests.engine.containers.dock import status_of
from tests.marks import needs_root
from tests.waiting import eventually

if TYPE_CHECKING:
    from engine import Container, Image
    from tests.engine.containers.dock import Dock

pytestmark = needs_root

ONCE = "test -e /probed && exit 1; touch /probed"  # a probe after that does nothing more


def check(*test: str, **timing: Any) -> HealthcheckSpec:
    quick = {"interval_s": 0.1, "timeout_s": 30.0, "retries": 2}
    return HealthcheckSpec(test=test or ("CMD", "test", "-e", "/well"), **(quick | timing))


def log_of(dock: Dock, container: Container, length: int = 1) -> list[dict[str, Any]]:
    """The results of at least `length` probes."""
    dock.wait(container, lambda _: len(dock.state(container)["health"]["log"]) >= length)
    log: list[dict[str, Any]] = dock.state(container)["health"]["log"]
    return log


def test_without_a_check_there_is_no_health(dock: Dock) -> None:
    assert dock.idle().health is None
    assert dock.idle(healthcheck=HealthcheckSpec(test=("NONE",))).health is None


def test_a_container_becomes_healthy_unhealthy_and_healthy_again(dock: Dock) -> None:
    script = "until test -e /asked; do sleep 0.01; done; test -e /well"
    container = dock.idle(healthcheck=check("CMD-SHELL", script))
    assert container.health == "starting"
    dock.exec(container, "touch", "/asked")
    assert dock.wait(container, lambda c: c.health == "unhealthy").status == "running"
    dock.exec(container, "touch", "/well")
    dock.wait(container, lambda c: c.health == "healthy")
    assert dock.state(container)["health"]["failing_streak"] == 0
    dock.exec(container, "rm", "/well")
    dock.wait(container, lambda c: c.health == "unhealthy")
    assert dock.state(container)["health"]["failing_streak"] >= 2


def test_the_first_probe_comes_after_an_interval(dock: Dock) -> None:
    container = dock.idle(healthcheck=check("CMD", "true", interval_s=0.5))
    healthy = dock.wait(container, lambda c: c.health == "healthy")
    assert time.time() - (healthy.started_at or 0) >= 0.5


def test_failures_in_the_start_period_do_not_count(dock: Dock) -> None:
    timing = {"start_interval_s": 0.05, "interval_s": 0.2, "retries": 1}
    container = dock.idle(healthcheck=check("CMD", "false", start_period_s=60.0, **timing))
    log_of(dock, container, 3)
    assert dock.get(container).health == "starting"
    container = dock.idle(healthcheck=check("CMD", "false", start_period_s=0.7, **timing))
    unhealthy = dock.wait(container, lambda c: c.health == "unhealthy")
    assert time.time() - (unhealthy.started_at or 0) >= 0.7


def test_a_success_in_the_start_period_ends_it(dock: Dock) -> None:
    timing = {"start_period_s": 60.0, "start_interval_s": 0.05, "interval_s": 0.1, "retries": 1}
    container = dock.idle(healthcheck=check(**timing))
    dock.exec(container, "touch", "/well")
    dock.wait(container, lambda c: c.health == "healthy")
    dock.exec(container, "rm", "/well")
    dock.wait(container, lambda c: c.health == "unhealthy")


def test_a_probe_that_takes_too_long_is_killed_and_has_failed(dock: Dock) -> None:
    script = "echo begun; exec sleep 77"
    container = dock.idle(healthcheck=check("CMD-SHELL", script, timeout_s=0.3, retries=1))
    dock.wait(container, lambda c: c.health == "unhealthy")
    told = "Health check exceeded timeout (0.3s): begun\n"  # unless it had not begun by then

    def results() -> list[tuple[int, str]]:
        return [(entry["exit_code"], entry["output"]) for entry in log_of(dock, container)]

    assert eventually(lambda: (-1, told) in results())
    assert {code for code, _ in results()} == {-1}


def wait_for_more(dock: Dock, container: Container) -> None:
    """Until a probe has been killed, and a later one has had nothing more to do."""

    def codes(_: object) -> set[int]:
        return {entry["exit_code"] for entry in dock.state(container)["health"]["log"]}

    dock.wait(container, lambda c: c.health == "unhealthy")
    dock.wait(container, lambda c: 1 in codes(c))


def test_nothing_is_left_of_a_probe_that_was_killed(dock: Dock) -> None:
    check_it = check("CMD-SHELL", f"{ONCE}; exec sleep 77", timeout_s=0.2, retries=1)
    container = dock.idle(healthcheck=check_it)
    wait_for_more(dock, container)
    assert b"sleep 77" not in dock.exec(container, "ps", "-o", "args").stdout.splitlines()


def test_what_a_probe_has_started_ends_with_it(dock: Dock) -> None:
    script = f"{ONCE}; sleep 77 & sleep 77"
    container = dock.idle(healthcheck=check("CMD-SHELL", script, timeout_s=0.2, retries=1))
    wait_for_more(dock, container)
    assert b"sleep 77" not in dock.exec(container, "ps", "-o", "args").stdout.splitlines()


def test_output_is_cut_and_five_results_are_kept(dock: Dock) -> None:
    script = "head -c 10000 /dev/zero | tr '\\0' x; echo err >&2"
    container = dock.idle(healthcheck=check("CMD-SHELL", script, interval_s=0.02))
    first = log_of(dock, container)[0]
    dock.wait(container, lambda _: first not in dock.state(container)["health"]["log"])
    log = log_of(dock, container)
    assert len(log) == 5
    assert log[-1]["output"] == "x" * 4096 + "..."
    assert [entry["start"] for entry in log] == sorted(entry["start"] for entry in log)


def test_what_it_takes_to_start_a_test_does_not_count(dock: Dock) -> None:
    container = dock.idle(
        healthcheck=check("CMD", "true", interval_s=0.5, timeout_s=0.5, retries=1)
    )
    directories = find_cgroup(dock.engine.roots, container.id).directories
    if "freezer" not in directories:
        pytest.skip("who enters a frozen group of cgroup v1 waits there")
    freezer = Path(directories["freezer"], "freezer.state")
    monitor = dock.monitor(container)
    children = Path(f"/proc/{monitor}/task/{monitor}/children")

    def probes() -> set[str]:
        return set(children.read_text().split()) - {str(container.pid)}

    def is_frozen_before_a_probe() -> bool:
        freezer.write_text("FROZEN")
        if not probes():
            return True
        freezer.write_text("THAWED")
        return False

    assert eventually(is_frozen_before_a_probe)
    try:
        assert eventually(probes)
        time.sleep(1.0)
        (probe,) = probes()
        status = status_of(Path(f"/proc/{probe}/status").read_text())
    finally:
        freezer.write_text("THAWED")
    assert {int(status[field], 16) for field in ("SigPnd", "ShdPnd")} == {0}  # nobody ends it
    dock.wait(container, lambda c: c.health == "healthy")


def test_a_test_that_cannot_run_has_failed(dock: Dock) -> None:
    container = dock.idle(healthcheck=check("CMD", "no-such-test", retries=1))
    dock.wait(container, lambda c: c.health == "unhealthy")
    first = log_of(dock, container)[0]
    assert first["exit_code"] == -1
    assert "no-such-test: not found" in first["output"]


def test_a_probe_is_as_the_container(dock: Dock) -> None:
    script = "echo $A $(id -u) $(pwd) $(readlink /proc/self/fd/0)"
    container = dock.idle(
        healthcheck=check("CMD-SHELL", script),
        environment={"A": "1"},
        user="app",
        working_dir="/tmp",
    )
    assert log_of(dock, container)[0]["output"] == "1 1000 /tmp /dev/null\n"


def test_a_restart_begins_at_starting(dock: Dock) -> None:
    first_alone = "test -e /probed && exec sleep 99; touch /probed"
    container = dock.idle(healthcheck=check("CMD-SHELL", first_alone, timeout_s=99.0))
    dock.wait(container, lambda c: c.health == "healthy")
    assert dock.run(dock.engine.containers.restart(container.id)).health == "starting"
    assert dock.stop(container).health is None


def test_the_end_of_a_container_ends_its_probe(dock: Dock) -> None:
    container = dock.idle(healthcheck=check("CMD", "sleep", "99", timeout_s=99.0))
    assert eventually(lambda: b"sleep 99" in dock.exec(container, "ps", "-o", "args").stdout)
    dock.stop(container)  # in less time than the probe takes
    assert dock.cgroups(container) == []


def test_a_restart_while_a_probe_runs_leaves_nothing_of_it(dock: Dock) -> None:
    script = "test -e /again && exec sleep 1000; until test -e /again; do sleep 0.01; done; exit 1"
    container = dock.start(
        "sh",
        "-c",
        script,
        restart=RestartPolicy(name="always"),
        healthcheck=check("CMD-SHELL", "touch /again; exec sleep 99", timeout_s=99.0),
    )
    dock.wait(container, lambda c: c.restart_count == 1 and c.status == "running")
    files = Path(f"/proc/{dock.monitor(container)}/fdinfo")
    assert eventually(lambda: not any("Pid:\t-1\n" in text_of(file) for file in files.iterdir()))


def text_of(file: Path) -> str:
    """Of a descriptor that may have been closed meanwhile."""
    with contextlib.suppress(FileNotFoundError):
        return file.read_text()
    return ""


def test_the_images_check_is_used_and_can_be_replaced(dock: Dock, busybox: Image) -> None:
    document = {
        "config": {
            "Cmd": ["sleep", "1000"],
            "Healthcheck": {"Test": ["CMD-SHELL", "echo of the image"], "Interval": 100_000_000},
        }
    }
    image = dock.engine.images.create(document, busybox.chain_ids)
    container = dock.start(image=image.id)
    assert log_of(dock, container)[0]["output"] == "of the image\n"
    other = dock.start(image=image.id, healthcheck=HealthcheckSpec(retries=1, timeout_s=9.0))
    assert log_of(dock, other)[0]["output"] == "of the image\n"  # at the image's interval
    other = dock.start(image=image.id, healthcheck=check("CMD", "echo", "mine"))
    assert log_of(dock, other)[0]["output"] == "mine\n"
    assert dock.start(image=image.id, healthcheck=HealthcheckSpec(test=("NONE",))).health is None
