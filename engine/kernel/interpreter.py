"""The interpreter that we run on, for processes beside our own and for those of containers."""

from __future__ import annotations

import contextlib
import os
import sys

from engine.kernel import mounts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

OPTIONS = ("-X", "utf8", "-SI")  # the standard library alone, and nothing of the environment


def command_line(module: str, *arguments: str | int) -> tuple[str, ...]:
    """Of a process that calls `main(*arguments)` of a module of ours, and exits with what it says.

    The module finds ours and the standard library, and nothing that is installed beside them.
    """
    ours = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    program = f"from {module} import main; sys.exit(main(*{arguments!r}))"
    return sys.executable, *OPTIONS, "-c", f"import sys; sys.path.append({ours!r}); {program}"


def path() -> str:
    """The interpreter itself, without the virtual environment around it."""
    return os.path.realpath(getattr(sys, "_base_executable", sys.executable))


@contextlib.contextmanager
def read_only(program: str) -> Iterator[str]:
    """A path by which `program` can be executed but, from there, never be written.

    What a container can reach of us is the file that our processes were executed from (through
    /proc/PID/exe); executed from a detached read-only mount, it cannot be opened for writing from
    anywhere (CVE-2019-5736).
    """
    tree_fd = mounts.open_tree(program)
    try:
        mounts.set_attributes(tree_fd, read_only=True)
        yield f"/proc/self/fd/{tree_fd}"
    finally:
        os.close(tree_fd)
