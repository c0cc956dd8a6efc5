"""Memory of the engine's own processes while 0, 10 and 30 containers sleep.

    python -m tests.bench.memory

PSS in KiB: each process's private pages and its part of shared ones. The containers' own processes
are not counted.
"""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests import leaks
from tests.bench.parties import buoy, docker, print_table, write_project

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tests.bench.parties import Party

COUNTS = (0, 10, 30)
DOCKER = ("dockerd", "containerd", "containerd-shim-runc-v2")


def main() -> None:
    """Measure and print."""
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        ours, roots = stack.enter_context(buoy())
        ours_kib = measure(ours, directory / "ours", lambda: leaks.processes_of(roots))
        theirs, _ = stack.enter_context(docker())
        theirs_kib = measure(theirs, directory / "theirs", lambda: named(DOCKER))
    rows = {f"{count} containers": [ours_kib[count], theirs_kib[count]] for count in COUNTS}
    print_table("PSS of the engine's processes, KiB", [ours.name, "dockerd"], rows)


def measure(party: Party, directory: Path, pids: Callable[[], Iterable[int]]) -> dict[int, int]:
    """KiB by number of containers."""
    found = {}
    for count in COUNTS:
        if count:
            write_project(directory, count)
            party.run(directory, "up", "-d")
        found[count] = sum(pss_kib(pid) for pid in pids() if is_outside(pid))
    party.run(directory, "down", "-t", "0")
    return found


def pss_kib(pid: int) -> int:
    """Source: kernel Documentation/filesystems/proc.rst, smaps_rollup."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    return 0


def is_outside(pid: int) -> bool:
    """Whether a process is in our own pid namespace: not one of a container's."""
    own, its = Path("/proc/self/ns/pid"), Path(f"/proc/{pid}/ns/pid")
    return own.readlink() == its.readlink()


def named(names: tuple[str, ...]) -> list[int]:
    """Processes by the name of their program."""
    found = []
    for path in Path("/proc").iterdir():
        if path.name.isdigit():
            with contextlib.suppress(OSError):
                program = (path / "cmdline").read_bytes().split(b"\0")[0].decode()
                if Path(program).name in names:
                    found.append(int(path.name))
    return found


if __name__ == "__main__":
    main()
