"""The interpreter that we run on, as what ends up in containers is to be executed."""

from __future__ import annotations

import contextlib
import os
import sys

from engine.kernel import mounts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

OPTIONS = ("-X", "utf8", "-SI")  # the standard library alone, and nothing of the environment


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
