"""`init: true`: a process 1 that reaps and forwards (engine.md A11.6)."""

from __future__ import annotations

import os
import select
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.engine.containers.dock import LIMIT_S, status_of
from tests.marks import needs_root
from tests.waiting import eventually

if TYPE_CHECKING:
    from engine import Container
    from tests.engine.containers.dock import Dock

pytestmark = needs_root


@pytest.mark.parametrize(
    ("script", "code"), [("exit 0", 0), ("exit 7", 7), ("kill -TERM $$", 143), ("kill -9 $$", 137)]
)
def test_its_exit_code_is_the_programs(dock: Dock, script: str, code: int) -> None:
    assert dock.sh(script, init=True).code == code


def test_the_program_is_its_child(dock: Dock) -> None:
    # it gives itself the name once it runs
    script = "echo $$ $PPID; until grep -x buoy-init /proc/1/comm; do :; done"
    ended = dock.sh(script, init=True)
    assert ended.lines == ["2 1", "buoy-init"]


def test_orphans_are_reaped(dock: Dock) -> None:
    container = dock.idle(init=True)
    dock.exec(container, "sh", "-c", "for i in 1 2 3; do (sleep 0.1 &) ; done")

    def are_gone() -> bool:
        found = statuses(dock, container)
        return "Z (zombie)" not in found and found.count("Name:\tsleep") == 1  # the program

    assert eventually(are_gone)


def statuses(dock: Dock, container: Container) -> str:
    """/proc/PID/status of all that there is inside, one after the other."""
    return dock.exec(container, "sh", "-c", "cat /proc/[0-9]*/status").stdout.decode()


def test_without_it_the_program_has_to_reap_them(dock: Dock) -> None:
    container = dock.idle()
    dock.exec(container, "sh", "-c", "(sleep 0.1 &)")
    assert eventually(lambda: "Z (zombie)" in statuses(dock, container))


@pytest.mark.parametrize("name", ["TERM", "HUP", "INT", "QUIT", "USR1", "WINCH", "35"])
def test_signals_are_forwarded(dock: Dock, name: str) -> None:
    script = f"trap 'echo got; exit 9' {name}; echo ready; while :; do sleep 0.1; done"
    container = dock.start("sh", "-c", script, init=True)
    dock.wait_for_line(container, "ready")
    dock.kill(container, name)
    assert dock.end_of(container).code == 9


def test_a_program_that_handles_nothing_dies_of_sigterm(dock: Dock) -> None:
    container = dock.idle(init=True)
    assert dock.stop(container, grace_s=60).exit_code == 143


def test_a_program_that_cannot_run_is_told_as_without(dock: Dock) -> None:
    from engine import ContainerProblem

    with pytest.raises(ContainerProblem, match="no-such") as caught:
        dock.start("no-such", init=True)
    assert caught.value.exit_code == 127


def test_it_holds_nothing_of_ours(dock: Dock) -> None:
    container = dock.idle(init=True, cap_add=("SYS_PTRACE",))
    assert list(Path(f"/proc/{container.pid}/fd").iterdir()) == []
    assert Path(f"/proc/{container.pid}/environ").read_bytes() == b""


def test_it_can_do_nothing_but_kill(dock: Dock) -> None:
    container = dock.idle(init=True)
    fields = status_of(Path(f"/proc/{container.pid}/status").read_text())
    assert int(fields["CapEff"], 16) == int(fields["CapPrm"], 16) == 1 << 5


def test_it_shows_the_program_and_nothing_of_the_host(dock: Dock) -> None:
    container = dock.idle(init=True)
    shown = dock.exec(container, "cat", "/proc/1/cmdline").stdout
    assert shown == b"buoy-init\0--\0sleep\x001000\0"
    name = b"buoy-init\n"
    assert eventually(lambda: dock.exec(container, "cat", "/proc/1/comm").stdout == name)


def test_it_has_next_to_no_memory(dock: Dock) -> None:
    """No interpreter stays there."""
    container = dock.idle(init=True)
    rollup = Path(f"/proc/{container.pid}/smaps_rollup").read_text()
    assert int(rollup.partition("Private_Dirty:")[2].split()[0]) <= 64


def test_it_ends_with_the_monitor(dock: Dock) -> None:
    """Its parent-death signal has outlived the change of its program."""
    container = dock.idle(init=True)
    assert container.pid
    pidfd, monitor = os.pidfd_open(container.pid), dock.monitor(container)
    assert monitor
    os.kill(monitor, signal.SIGKILL)
    assert select.select([pidfd], [], [], LIMIT_S)[0] == [pidfd]
    os.close(pidfd)


def test_nobody_inside_can_look_into_it(dock: Dock) -> None:
    container = dock.idle(init=True)
    for name in ("exe", "root", "cwd", "fd/0"):
        assert dock.exec(container, "readlink", f"/proc/1/{name}").code == 1
    for name in ("environ", "mem", "maps"):
        assert dock.exec(container, "cat", f"/proc/1/{name}").code == 1
    assert os.readlink(f"/proc/{container.pid}/exe")  # noqa: PTH115  the host can
