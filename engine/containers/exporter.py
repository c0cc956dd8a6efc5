"""The process that writes a root filesystem to descriptor 1, as a tar: without what is mounted in
it, and with nothing hidden or removed by an upper layer.

It sees the tree in a mount namespace: of a container that runs, in that one's; else in one of its
own, where the layers are put together. Started by `engine.containers.exporting` as `python -SI`;
standard library alone.
"""

from __future__ import annotations

import json
import os
import sys

from engine.images.diff import layer_tar
from engine.kernel import mounts, process
from engine.kernel.namespaces import CLONE_NEWNS, setns, unshare
from engine.rootfs.overlay import mount_overlay

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

ENDED, NOT_WRITTEN, BROKEN_PIPE = 3, 4, 141


def main(view: str, parent: int) -> int:
    """0; ENDED where the container has ended meanwhile, BROKEN_PIPE where nobody reads;
    NOT_WRITTEN, with the errno on descriptor 2, where the output takes no more."""
    process.die_with_parent(parent)
    if not _enter(json.loads(view)):
        return ENDED
    sys.meta_path.clear()
    try:
        with open(1, "wb", closefd=False) as output:
            for piece in layer_tar("."):
                output.write(piece)
    except BrokenPipeError:
        return BROKEN_PIPE
    except OSError as error:
        if error.filename is not None:  # of the tree
            raise
        os.write(2, str(error.errno).encode())
        return NOT_WRITTEN
    return 0


def _enter(view: dict[str, Any]) -> bool:
    """Make the tree the working directory.

    pid, started   of the first process of a container that runs, or
    lowers, upper  of the tree (top first); `upper` may be empty
    place          any directory, to mount on
    """
    if "pid" in view:
        return _enter_running(view["pid"], view["started"])
    unshare(CLONE_NEWNS)
    mounts.mount("", "/", flags=mounts.MS_PRIVATE | mounts.MS_REC)
    place = view["place"]
    layers = [*([view["upper"]] if view["upper"] else []), *map(os.path.realpath, view["lowers"])]
    mounts.mount("tmpfs", place, "tmpfs")
    for name in ("root", "empty"):
        os.mkdir(f"{place}/{name}")
    mount_overlay(f"{place}/root", [*layers, f"{place}/empty"])  # it takes two or more
    os.chdir(f"{place}/root")
    return True


def _enter_running(pid: int, started: int) -> bool:
    """A copy of the mount of its root, where what is mounted in it is not."""
    try:
        fd = os.open(f"/proc/{pid}/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, ProcessLookupError):
        return False
    if process.start_time(pid) != started:
        return False
    setns(fd, CLONE_NEWNS)
    os.fchdir(mounts.open_tree("/"))
    return True
