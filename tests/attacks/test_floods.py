"""E18: output, probes and sessions without end must cost the container and nobody else."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine import HealthcheckSpec, LogSpec, Resources
from tests.marks import needs_root

if TYPE_CHECKING:
    from engine.images.image import Image
    from tests.engine.containers.dock import Dock

pytestmark = needs_root

MOST_KB = 8_000  # of memory of its own that a monitor may have; 2,000 are usual


def private_kb(pid: int | None) -> int:
    """Memory that the process shares with no other."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_"))


def test_a_line_without_end_is_cut_and_rotated_away(dock: Dock) -> None:
    script = "head -c 60000000 /dev/zero | tr '\\0' x; echo; echo done; sleep 1000"
    container = dock.start("sh", "-c", script, log=LogSpec(max_size_bytes=1 << 20, max_files=2))
    dock.wait_for_line(container, "done")
    assert private_kb(dock.monitor(container)) < MOST_KB
    logs = Path(dock.engine.roots.container(container.id)).glob("*.log*")
    assert sum(path.stat().st_size for path in logs) < 4 << 20
    longest = max(len(line.text) for line in dock.engine.containers.logs(container.id))
    assert longest <= 16 * 1024


def test_a_log_that_looks_like_ours_is_text(dock: Dock) -> None:
    forged = "2030-01-01T00:00:00.000000000Z stderr F forged"
    ended = dock.sh(f"printf '{forged}\\n\\0\\r\\n\\033]0;title\\007\\n'")
    assert ended.stderr == ""
    assert ended.lines[0] == forged


def test_a_probe_that_writes_without_end_is_ended_and_cut(dock: Dock) -> None:
    check = HealthcheckSpec(test=("CMD", "yes"), interval_s=0.05, timeout_s=1.0, retries=1)
    container = dock.idle(healthcheck=check)
    unhealthy = dock.wait(container, lambda found: found.health == "unhealthy")
    assert private_kb(dock.monitor(unhealthy)) < MOST_KB
    assert len(dock.state(container)["health"]["log"][0]["output"]) < 5000


def test_a_probe_that_leaves_processes_behind_leaves_them_to_the_limit(dock: Dock) -> None:
    check = HealthcheckSpec(
        test=("CMD-SHELL", "for i in 1 2 3; do sleep 1000 & done"), interval_s=0.05
    )
    container = dock.idle(healthcheck=check, resources=Resources(pids=12))
    dock.wait(container, lambda found: found.health == "unhealthy")
    assert dock.stop(container).status == "exited"


@pytest.mark.parametrize(
    "test", [("LOG", "(x+)+$"), ("FILE", "/etc/passwd"), ("TCP", "127.0.0.1", "22"), ("LOG", "(")]
)
def test_an_image_has_no_say_in_what_the_monitor_does(
    dock: Dock, busybox: Image, test: tuple[str, ...]
) -> None:
    """Its check could be an expression that takes for ever, at the host's expense."""
    document = {"config": {"Healthcheck": {"Test": list(test), "Interval": 100_000_000}}}
    image = dock.engine.images.create(document, busybox.chain_ids)
    container = dock.start("sh", "-c", f"echo {'x' * 60}y; sleep 1000", image=image.id)
    dock.wait_for_line(container, "x" * 60 + "y")
    assert dock.get(container).health is None
    assert dock.stop(container).status == "exited"


def test_a_server_that_never_ends_its_answer_is_given_up(dock: Dock) -> None:
    server = "while :; do yes | tr -d '\\n' | nc -l -p 80 127.0.0.1 > /dev/null; done"
    check = HealthcheckSpec(
        test=("HTTP", "127.0.0.1", "80", "/"),
        interval_s=0.1,
        timeout_s=1,
        retries=1,
        start_period_s=0.01,
    )
    container = dock.start("sh", "-c", server, healthcheck=check)
    unhealthy = dock.wait(container, lambda found: found.health == "unhealthy")
    assert private_kb(dock.monitor(unhealthy)) < MOST_KB
    assert dock.stop(container).status == "exited"


def test_a_client_that_reads_nothing_holds_nobody_up(dock: Dock) -> None:
    script = "read x; head -c 30000000 /dev/zero; echo done >&2; sleep 1000"
    container = dock.start("sh", "-c", script, stdin_open=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as client:
        client.connect(f"{dock.run_directory(container)}/control")
        client.send(json.dumps({"do": "attach", "stdin": True, "lossless": False}).encode())
        _, fds, _, _ = socket.recv_fds(client, 4096, 1)
        os.write(fds[0], b"go\n")
        os.close(fds[0])
        dock.wait_for_line(container, "done")
        assert private_kb(dock.monitor(container)) < MOST_KB


def test_the_output_of_an_exec_is_not_gathered(dock: Dock) -> None:
    """CVE-2022-31030: what an exec writes went into the engine's memory."""
    container = dock.idle()
    done = dock.exec(container, "sh", "-c", "head -c 80000000 /dev/zero")
    assert len(done.stdout) == 80_000_000
    assert private_kb(dock.monitor(container)) < MOST_KB
