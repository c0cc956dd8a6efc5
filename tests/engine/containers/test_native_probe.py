"""Health probes that a monitor makes itself (`x-buoy-probe`)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from engine import HealthcheckSpec
from tests.engine.containers.test_health import log_of
from tests.marks import needs_root
from tests.waiting import eventually

if TYPE_CHECKING:
    from engine import Container
    from tests.engine.containers.dock import Dock

pytestmark = needs_root

QUICK = {"interval_s": 0.05, "timeout_s": 30.0, "start_period_s": 0.001, "retries": 2}
SERVE = "httpd -f -p 127.0.0.1:8080 -h /www"


def probe(*test: str, **timing: Any) -> HealthcheckSpec:
    return HealthcheckSpec(test=test, **(QUICK | timing))


def health(dock: Dock, container: Container, wanted: str, text: str = "") -> str:
    """Wait for a health, and for a probe that says `text`: its server may not listen at first.

    Returns all that it says.
    """

    def said() -> str:
        return str(dock.state(container)["health"]["log"][-1]["output"])

    dock.wait(container, lambda c: c.health == wanted and text in said())
    return said()


def descriptors(dock: Dock, container: Container) -> int:
    return len(list(Path(f"/proc/{dock.monitor(container)}/fd").iterdir()))


def test_a_port_is_asked_in_the_namespace_of_the_container(dock: Dock) -> None:
    container = dock.idle(healthcheck=probe("TCP", "127.0.0.1", "7070"))
    assert health(dock, container, "unhealthy") == "cannot connect: connection refused"
    before = descriptors(dock, container)
    dock.exec(container, "sh", "-c", "nc -ll -p 7070 -e true >/dev/null 2>&1 &")
    assert health(dock, container, "healthy") == "connected"
    log_of(dock, container, 5)
    # one may be under way, and what is open for a moment may be, too
    assert eventually(lambda: descriptors(dock, container) <= before + 1)
    assert log_of(dock, container)[-1]["exit_code"] == 0


def test_a_page_is_ready_below_400(dock: Dock) -> None:
    script = f"mkdir /www; {SERVE}"
    check = probe("HTTP", "127.0.0.1", "8080", "/health")
    container = dock.start("sh", "-c", script, healthcheck=check)
    health(dock, container, "unhealthy", " 404 Not Found")
    dock.exec(container, "touch", "/www/health")
    health(dock, container, "healthy", " 200 OK")


def test_who_accepts_and_says_nothing_is_not_ready(dock: Dock) -> None:
    check = probe("HTTP", "127.0.0.1", "7070", "/", timeout_s=0.2)
    container = dock.start("nc", "-ll", "-p", "7070", "-e", "sleep", "1000", healthcheck=check)
    health(dock, container, "unhealthy", "Health check exceeded timeout (0.2s)")
    assert log_of(dock, container)[-1]["exit_code"] == -1


def test_what_is_no_http_is_not_ready_however_much_there_is(dock: Dock) -> None:
    check = probe("HTTP", "127.0.0.1", "7070", "/")
    container = dock.start("nc", "-ll", "-p", "7070", "-e", "cat", "/dev/zero", healthcheck=check)
    health(dock, container, "unhealthy", "\0\0")


def test_a_file_is_looked_for_below_the_root_of_the_container(dock: Dock) -> None:
    container = dock.idle(healthcheck=probe("FILE", "/run/ready"))
    assert health(dock, container, "unhealthy") == "/run/ready: no such file or directory"
    dock.exec(container, "sh", "-c", "mkdir /run; ln -s /made /run/ready; touch /made")
    assert health(dock, container, "healthy") == "/run/ready is there"


@pytest.mark.parametrize("link", ["/proc/1/root/ready", "../../../ready", "/proc/self/root/ready"])
def test_a_link_does_not_lead_out_of_the_container(dock: Dock, link: str) -> None:
    """`/proc/self` is the monitor for a path that is walked from outside."""
    container = dock.idle(healthcheck=probe("FILE", "/link"))
    dock.exec(container, "ln", "-s", link, "/link")
    health(dock, container, "unhealthy")


def test_a_line_of_the_log_makes_it_ready_at_once(dock: Dock) -> None:
    script = (
        "echo starting; sleep 0.3; printf 'ready for '; sleep 0.1; echo 1 connection; sleep 1000"
    )
    check = probe("LOG", r"ready for \d+", timeout_s=20.0, interval_s=0.001)
    container = dock.start("sh", "-c", script, healthcheck=check)
    assert health(dock, container, "healthy") == "ready for 1 connection"
    log_of(dock, container, 2)
    assert dock.get(container).health == "healthy"


def test_a_line_that_does_not_come_makes_it_unhealthy(dock: Dock) -> None:
    check = probe("LOG", "ready", timeout_s=0.1)
    container = dock.start("sh", "-c", "echo red; sleep 1000", healthcheck=check)
    assert health(dock, container, "unhealthy") == "no such line in its log within 0.1s"


def test_a_restart_waits_for_the_line_again(dock: Dock) -> None:
    script = "test -e /again || echo ready; touch /again; sleep 1000"
    check = probe("LOG", "ready", timeout_s=0.5)
    container = dock.start("sh", "-c", script, healthcheck=check)
    health(dock, container, "healthy")
    dock.run(dock.engine.containers.restart(container.id))
    health(dock, container, "unhealthy")


def test_the_images_timing_is_not_for_them(dock: Dock, busybox: Any) -> None:
    slow = {"Test": ["CMD", "false"], "Interval": 10**12, "StartInterval": 10**12}
    image = dock.engine.images.create({"config": {"Healthcheck": slow}}, busybox.chain_ids)
    check = HealthcheckSpec(test=("FILE", "/bin/sh"))
    container = dock.idle(image=image.id, healthcheck=check)
    health(dock, container, "healthy")
