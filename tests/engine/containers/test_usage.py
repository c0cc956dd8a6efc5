"""What containers have used, and their processes, as the host sees them."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine import ContainerProblem, Resources
from tests.marks import needs_root
from tests.waiting import eventually

if TYPE_CHECKING:
    from engine import Container, Process, Usage
    from tests.engine.containers.dock import Dock

pytestmark = needs_root
MIB = 1 << 20


def usage(dock: Dock, container: Container) -> Usage:
    return dock.engine.containers.usage(container.id)


def processes(dock: Dock, container: Container) -> tuple[Process, ...]:
    return dock.engine.containers.processes(container.id)


def test_cpu_memory_and_processes_are_counted(dock: Dock) -> None:
    script = "head -c 20m /dev/zero | tail -c 20m | sleep 1000"
    limits = Resources(memory_bytes=64 * MIB, pids=9)
    container = dock.start("sh", "-c", f"{script} & {script}", resources=limits)
    assert eventually(lambda: (usage(dock, container).memory_bytes or 0) >= 30 * MIB)
    now = usage(dock, container)
    assert now.memory_bytes is not None
    assert now.memory_bytes < 64 * MIB == now.memory_limit_bytes
    assert now.pids_limit == 9
    assert now.pids is not None
    assert now.pids <= 9
    assert now.cpu_ns is not None
    assert now.cpu_ns > 10_000_000
    assert now.oom_kills == 0


def test_time_that_a_quota_took_away_is_counted(dock: Dock) -> None:
    container = dock.start("sh", "-c", "while :; do :; done", resources=Resources(cpus=0.05))
    assert eventually(lambda: usage(dock, container).throttled_periods >= 3)
    now = usage(dock, container)
    assert now.periods >= now.throttled_periods
    assert now.throttled_ns > 0


def test_what_is_read_from_a_disk_is_counted(dock: Dock) -> None:
    if not Path(f"/sys/dev/block/{_device(Path('/var/tmp'))}").exists():
        pytest.skip("/var/tmp is on no block device")
    container = dock.idle()
    before = usage(dock, container)
    if before.written_bytes is None:
        pytest.skip("nobody counts it here")
    dock.exec(container, "dd", "if=/dev/zero", "of=/file", "bs=64k", "count=16", "oflag=direct")
    after = usage(dock, container)
    assert after.written_bytes is not None
    assert after.written_bytes - before.written_bytes >= MIB


def _device(path: Path) -> str:
    number = path.stat().st_dev
    return f"{os.major(number)}:{os.minor(number)}"


def test_the_hosts_network_is_not_the_containers(dock: Dock) -> None:
    assert usage(dock, dock.idle(network="host")).received_bytes is None
    found = usage(dock, dock.idle())
    assert (found.received_bytes, found.sent_bytes) == (0, 0)


def test_processes_with_their_ids_on_the_host(dock: Dock) -> None:
    before = time.time()
    container = dock.start("sh", "-c", "sleep 1001 & exec sleep 1000", user="1000")
    dock.exec(container, "sleep", "1002", detach=True, user="0")

    def commands() -> list[str]:
        return [process.command for process in processes(dock, container)]

    # the shell may not have become a program yet, nor its child
    assert eventually(lambda: commands() == ["sleep 1000", "sleep 1001", "sleep 1002"])
    init, child, executed = processes(dock, container)
    assert (init.pid, child.parent_pid) == (container.pid, container.pid)
    assert (init.uid, executed.uid) == (1000, 0)
    assert before - 2 <= init.started_at <= (container.started_at or 0) + 2  # by other clocks
    assert (init.tty, executed.tty) == ("", "")


def test_a_process_may_call_itself_anything(dock: Dock) -> None:
    script = "printf 'a) R 1 b' > /proc/self/comm; echo named; sleep 1000 & wait"
    container = dock.start("sh", "-c", script, "\033[2J")
    dock.wait_for_line(container, "named")
    found = processes(dock, container)[0]
    assert found.command == f"sh -c {script} \033[2J"
    assert (found.pid, found.parent_pid) == (container.pid, dock.monitor(container))


def test_one_with_a_terminal_says_so(dock: Dock) -> None:
    container = dock.idle(tty=True)
    assert processes(dock, container)[0].tty == "pts/0"


def test_a_container_that_does_not_run_uses_nothing(dock: Dock) -> None:
    created = dock.create("true")
    for look in (usage, processes):
        with pytest.raises(ContainerProblem, match="is not running"):
            look(dock, created)
