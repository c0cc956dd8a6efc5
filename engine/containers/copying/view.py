"""The root of a container as it sees it, by a descriptor, in the process that copies.

Of one that runs, through its first process; of any other, put together again from its layers and
mounts, in a mount namespace that goes with this process. Standard library alone.
"""

from __future__ import annotations

import os

from engine.containers.copying.refusals import CopyRefused
from engine.containers.statefile import take_lock
from engine.kernel import mounts
from engine.kernel.namespaces import CLONE_NEWNS, unshare
from engine.kernel.process import start_time
from engine.rootfs.mounts import MountError, make_mount
from engine.rootfs.overlay import mount_overlay

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_ROOT = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
BUSY = "copy-busy"


def open_view(view: dict[str, Any]) -> int:
    """An O_PATH descriptor of the root.

    pid, started  of its first process; or, of a container that does not run:
    lowers, upper, work, mounts, read_only  as in its launch record
    place         an empty directory
    run_directory  to hold the lock of, so that it does not start meanwhile; None: only to read

    Raises CopyRefused with the code BUSY where it has been started or has ended meanwhile.
    """
    return _running(view) if "pid" in view else _assembled(view)


def _running(view: dict[str, Any]) -> int:
    """The process is the one that was meant if it is so after its root has been opened."""
    pid = view["pid"]
    try:
        fd = os.open(f"/proc/{pid}/root", _ROOT)
    except (FileNotFoundError, ProcessLookupError):
        raise CopyRefused(BUSY, "it has ended") from None
    if start_time(pid) != view["started"]:
        raise CopyRefused(BUSY, "it has ended")
    return fd


def _assembled(view: dict[str, Any]) -> int:
    if view["run_directory"] and take_lock(view["run_directory"]) is None:
        raise CopyRefused(BUSY, "it is being started")
    unshare(CLONE_NEWNS)
    mounts.mount("", "/", flags=mounts.MS_PRIVATE | mounts.MS_REC)
    place = view["place"]
    if view["run_directory"]:
        mount_overlay(place, view["lowers"], view["upper"], view["work"])
    else:
        mount_overlay(place, [view["upper"], *view["lowers"]])
    root_fd = os.open(place, _ROOT)
    for entry in view["mounts"]:
        try:
            make_mount(root_fd, entry)
        except MountError as error:
            if view["run_directory"]:
                raise CopyRefused("mount", str(error)) from None
    if view["read_only"]:
        mounts.set_attributes(root_fd, read_only=True)
    return root_fd
