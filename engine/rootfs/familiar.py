"""What programs expect in a container's root beside its mounts."""

from __future__ import annotations

import contextlib
import os

from engine.rootfs.mounts import ensure_directory

MARK = "/.dockerenv"
MOUNT_TABLE, MOUNT_TABLE_TARGET = "/etc/mtab", "/proc/mounts"


def make_familiar(root_fd: int) -> None:
    """`/.dockerenv`, by which scripts know that they run in a container, and `/etc/mtab`, from
    which older programs read the mounts. What the image has there is left alone."""
    flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC
    with contextlib.suppress(FileExistsError):
        os.close(os.open(MARK.lstrip("/"), flags, 0o755, dir_fd=root_fd))
    etc_fd = ensure_directory(root_fd, os.path.dirname(MOUNT_TABLE))
    try:
        os.symlink(MOUNT_TABLE_TARGET, os.path.basename(MOUNT_TABLE), dir_fd=etc_fd)
    except FileExistsError:
        return
    finally:
        os.close(etc_fd)
