"""The devices of a container, as `linux.devices` and device rules of the OCI configuration."""

from __future__ import annotations

import os
import stat

TYPE_CHECKING = False  # `typing` takes 3 ms
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

# Always allowed: making nodes of any kind, and the devices that every container has.
_DEFAULT = (
    ("c", None, None, "m"),
    ("b", None, None, "m"),
    *(("c", 1, minor, "rwm") for minor in (3, 5, 7, 8, 9)),
    ("c", 5, 0, "rwm"),
    ("c", 5, 1, "rwm"),
    ("c", 5, 2, "rwm"),
    ("c", 136, None, "rwm"),
    ("c", 10, 200, "rwm"),
)
_DENY_ALL = {"allow": False, "access": "rwm"}
_ALLOW_ALL = {"allow": True, "type": "a", "access": "rwm"}
_OWN = ("/dev/console", "/dev/mqueue", "/dev/ptmx", "/dev/pts", "/dev/shm")


def rules(*, privileged: bool) -> list[dict[str, Any]]:
    """`linux.resources.devices`: everything is denied, then what a container may open."""
    if privileged:
        return [_DENY_ALL, _ALLOW_ALL]
    return [_DENY_ALL, *(_rule(*entry) for entry in _DEFAULT)]


def host_devices() -> list[dict[str, Any]]:
    """`linux.devices` for a privileged container: every node below the host's /dev."""
    return list(_nodes("/dev"))


def _rule(kind: str, major: int | None, minor: int | None, access: str) -> dict[str, Any]:
    numbers = {"major": major, "minor": minor}
    given = {key: number for key, number in numbers.items() if number is not None}
    return {"allow": True, "type": kind, "access": access, **given}


def _nodes(directory: str) -> Iterator[dict[str, Any]]:
    with os.scandir(directory) as entries:
        for entry in entries:
            if entry.path in _OWN:
                continue
            if entry.is_dir(follow_symlinks=False):
                yield from _nodes(entry.path)
                continue
            found = entry.stat(follow_symlinks=False)
            if stat.S_ISCHR(found.st_mode) or stat.S_ISBLK(found.st_mode):
                yield {
                    "path": entry.path,
                    "type": "c" if stat.S_ISCHR(found.st_mode) else "b",
                    "major": os.major(found.st_rdev),
                    "minor": os.minor(found.st_rdev),
                    "fileMode": stat.S_IMODE(found.st_mode),
                    "uid": found.st_uid,
                    "gid": found.st_gid,
                }
