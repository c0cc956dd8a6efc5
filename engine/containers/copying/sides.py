"""The two sides of a copy, and Docker's rules for what a path on one of them means.

Source: docs.docker.com/reference/cli/docker/container/cp. Standard library alone.
"""

from __future__ import annotations

import errno
import os
import stat

from engine.containers.copying.refusals import CopyRefused
from engine.kernel.mounts import filesystem_of
from engine.kernel.openat2 import open_in_root

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Self

_MOST_LINKS = 40  # as the kernel
# include/uapi/linux/magic.h: what is read there is made by the kernel as it is asked for
_KERNELS_OWN = {
    0x9FA0: "proc",
    0x62656572: "sysfs",
    0x27E0EB: "cgroup",
    0x63677270: "cgroup2",
    0x1CD1: "devpts",
    0x19800202: "mqueue",
}


def kernels_own(fd: int) -> str | None:
    """The type of the filesystem of `fd` where its files are the kernel's; None for others."""
    return _KERNELS_OWN.get(filesystem_of(fd))


class Side:
    """The host, or a container by a descriptor of its root.

    name   `web-1:` in front of paths that are shown; "" for the host
    first  ids of the side's user and group 0, as we see them
    """

    __slots__ = ("first", "name", "root")

    def __init__(self, name: str, root: int | None, first: tuple[int, int] = (0, 0)) -> None:
        self.name, self.root, self.first = name, root, first

    def open(self, path: str, flags: int) -> int:
        """A close-on-exec descriptor; from within a container, no symlink leads out of it."""
        if self.root is None:
            return os.open(path, flags | os.O_CLOEXEC)
        return open_in_root(self.root, os.fsencode(path), flags)

    def shown(self, path: str) -> str:
        """A path as the user wrote it."""
        return f"{self.name}{path}"

    def clean(self, path: str) -> str:
        """The path without `.` and `..`: inside a container they are taken as they are written."""
        return os.path.normpath(f"/{path}" if self.root is not None else path)


class Source:
    """What is copied: `fd` is O_PATH.

    name     what it is called in a directory
    content  not it, but what is in it
    """

    __slots__ = ("content", "fd", "is_directory", "name")

    def __init__(self, fd: int, name: str, *, content: bool) -> None:
        self.fd, self.name, self.content = fd, name, content
        self.is_directory = stat.S_ISDIR(os.fstat(fd).st_mode)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.fd)


class Target:
    """Where it goes: below the directory `fd`, as `name`; "" for the directory's own content."""

    __slots__ = ("fd", "name")

    def __init__(self, fd: int, name: str) -> None:
        self.fd, self.name = fd, name


def find_source(side: Side, path: str, *, follow: bool) -> Source:
    """What a source names. A symlink is itself, but for `follow`, and a path that ends in `/`.

    Raises CopyRefused.
    """
    slash = _wants_directory(path)
    clean = side.clean(path)
    flags = os.O_PATH | (os.O_DIRECTORY if slash else 0 if follow else os.O_NOFOLLOW)
    try:
        fd = side.open(clean, flags)
    except OSError as error:
        raise _not_found(side, path, "copy-source", error) from None
    if kernels_own(fd):
        os.close(fd)
        raise _kernels_file(side, path)
    name = os.path.basename(clean if clean not in (".", "..") else os.path.realpath(clean))
    return Source(fd, name, content=not name or os.path.basename(path) == ".")


def find_target(side: Side, path: str, source: Source | None) -> Target:
    """Where `source` goes; None: what comes out of an archive, into a directory that exists.

    Raises CopyRefused where it cannot be there.
    """
    clean = side.clean(path)
    for _ in range(_MOST_LINKS):
        try:
            fd = side.open(clean, os.O_PATH)
        except FileNotFoundError:
            link = _link_at(side, clean)
            if link is None:
                return _new_target(side, path, clean, source)
            clean = os.path.normpath(os.path.join(os.path.dirname(clean), link))
        except OSError as error:
            raise _not_found(side, path, "copy-target", error) from None
        else:
            return _existing_target(side, path, clean, source, fd)
    raise _not_found(side, path, "copy-target", OSError(errno.ELOOP, os.strerror(errno.ELOOP)))


def _existing_target(side: Side, path: str, clean: str, source: Source | None, fd: int) -> Target:
    mode = os.fstat(fd).st_mode
    if kernels_own(fd):
        os.close(fd)
        raise _kernels_file(side, path)
    if stat.S_ISDIR(mode):
        return Target(fd, source.name if source and not source.content else "")
    os.close(fd)
    if source is None or _wants_directory(path):
        raise CopyRefused("copy-target", "it is not a directory", where=side.shown(path))
    if source.is_directory:
        raise CopyRefused(
            "copy-target",
            f"the directory {source.name} cannot be copied over a file",
            where=side.shown(path),
        )
    if not stat.S_ISREG(mode):
        raise CopyRefused(
            "copy-target", "it is a device, a pipe or a socket: it stays", where=side.shown(path)
        )
    return _in_parent(side, path, _resolved(side, clean))


def _new_target(side: Side, path: str, clean: str, source: Source | None) -> Target:
    if source is None or (not source.is_directory and _wants_directory(path)):
        raise CopyRefused(
            "copy-target",
            "there is no such directory",
            where=side.shown(path),
            hint="make it first",
        )
    return _in_parent(side, path, clean)


def _in_parent(side: Side, path: str, clean: str) -> Target:
    parent, name = os.path.split(clean)
    try:
        fd = side.open(parent or ".", os.O_PATH | os.O_DIRECTORY)
    except OSError as error:
        reason = os.strerror(error.errno or 0).lower()
        raise CopyRefused(
            "copy-target",
            f"its directory {parent} cannot be entered: {reason}",
            where=side.shown(path),
            hint="make the directory first",
        ) from None
    return Target(fd, name)


def _resolved(side: Side, path: str) -> str:
    """The path with the symlinks that its last component is followed; it leads to a file."""
    for _ in range(_MOST_LINKS):
        link = _link_at(side, path)
        if link is None:
            break
        path = os.path.normpath(os.path.join(os.path.dirname(path), link))
    return path


def _link_at(side: Side, path: str) -> str | None:
    """What the symlink `path` contains; None where it is none."""
    try:
        fd = side.open(path, os.O_PATH | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        return os.readlink("", dir_fd=fd) if stat.S_ISLNK(os.fstat(fd).st_mode) else None
    finally:
        os.close(fd)


def _wants_directory(path: str) -> bool:
    return path.endswith("/") or os.path.basename(path) in (".", "..")


def _not_found(side: Side, path: str, code: str, error: OSError) -> CopyRefused:
    reason = os.strerror(error.errno or 0).lower()
    return CopyRefused(code, reason, where=side.shown(path))


def _kernels_file(side: Side, path: str) -> CopyRefused:
    return CopyRefused(
        "copy-kernel-file",
        "it is not a file but the kernel's: it cannot be copied",
        where=side.shown(path),
        hint="`buoy exec` can read and write it",
    )
