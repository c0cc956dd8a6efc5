"""Mount points that a RUN needed and its layer must not keep (engine.md D6.12, E14).

A container's mounts need something to be mounted on, and make it where the image has nothing.
"""

from __future__ import annotations

import contextlib
import functools
import os
import posixpath
import stat
from typing import TYPE_CHECKING

from engine.images.lowers import Lowers, opened, without_links
from engine.rootfs.familiar import MARK, MOUNT_TABLE, MOUNT_TABLE_TARGET

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

ALWAYS = (
    *("/dev", "/proc", "/sys", "/etc/hosts", "/etc/hostname", "/etc/resolv.conf"),
    *(MARK, MOUNT_TABLE),
)
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def missing_stubs(lowers: Sequence[str], targets: Iterable[str]) -> list[str]:
    """Paths that are not in the layers (top first) and that mounts on `targets` make there,
    deepest first."""
    with contextlib.ExitStack() as stack:
        layers = Lowers([stack.enter_context(opened(lower)) for lower in lowers])
        mode = functools.cache(layers.mode)

        def find_link(path: bytes) -> bytes | None:
            return layers.find_link(path) if stat.S_ISLNK(mode(path)) else None

        wanted = {path for target in targets for path in _on_the_way(target, find_link)}
        missing = [os.fsdecode(path) for path in wanted if not mode(path)]
    return sorted(missing, key=len, reverse=True)


def remove_stubs(upper: str, stubs: Sequence[str], lowers: Sequence[str]) -> None:
    """Take those of `stubs` that are still empty out of `upper`, and directories that were copied
    up for them alone. Symlinks are never followed."""
    for path in stubs:
        _remove_empty(upper, path)
    for directory in sorted({posixpath.dirname(path) for path in stubs}, key=len, reverse=True):
        if directory != "/" and directory not in stubs and _unchanged(upper, directory, lowers):
            _remove_empty(upper, directory)


def _on_the_way(target: str, find_link: Callable[[bytes], bytes | None]) -> Iterator[bytes]:
    """What is made where nothing of it is there: the mount point that `target` means, behind
    symlinks of the image, and the directories above it."""
    path = without_links(os.fsencode(target), find_link)
    while path and path != b"/":
        yield path
        path = posixpath.dirname(path)


def _unchanged(upper: str, directory: str, lowers: Sequence[str]) -> bool:
    """Whether a directory of `upper` says nothing that the topmost layer with it does not."""
    try:
        copied = os.lstat(upper + directory)
    except FileNotFoundError:
        return False
    for lower in lowers:
        try:
            original = os.lstat(lower + directory)
        except (FileNotFoundError, NotADirectoryError):
            continue
        same = ("st_mode", "st_uid", "st_gid")
        return all(getattr(copied, field) == getattr(original, field) for field in same)
    return False


def _remove_empty(upper: str, path: str) -> None:
    """An empty file or directory; accepts absence, and whatever has become of it."""
    above, name = posixpath.split(path.strip("/"))
    try:
        parent = _open(upper, above)
    except OSError:
        return
    try:
        info = os.stat(name, dir_fd=parent, follow_symlinks=False)
        if stat.S_ISDIR(info.st_mode):
            os.rmdir(name, dir_fd=parent)
        elif _is_empty(info) or _is_ours(name, parent):
            os.unlink(name, dir_fd=parent)
    except OSError:
        return
    finally:
        os.close(parent)


def _is_empty(info: os.stat_result) -> bool:
    return stat.S_ISREG(info.st_mode) and info.st_size == 0


def _is_ours(name: str, parent_fd: int) -> bool:
    """Whether it is the one link that each container gets (engine.rootfs.familiar)."""
    is_named_so = name == posixpath.basename(MOUNT_TABLE)
    return is_named_so and os.readlink(name, dir_fd=parent_fd) == MOUNT_TABLE_TARGET


def _open(root: str, path: str) -> int:
    fd = os.open(root, _DIRECTORY)
    for part in filter(None, path.split("/")):
        try:
            inner = os.open(part, _DIRECTORY, dir_fd=fd)
        finally:
            os.close(fd)
        fd = inner
    return fd
