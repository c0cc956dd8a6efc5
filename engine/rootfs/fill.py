"""The first use of a volume: it starts with what the image has at its target (engine.md A2.11)."""

from __future__ import annotations

import errno
import fcntl
import os
import stat

from engine.kernel.openat2 import open_in_root

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Links = dict[tuple[int, int], str]  # (device, inode) of files with several names -> a copy

_CHUNK_BYTES = 1 << 20
_WHOLE = ".filled"  # beside the volume: a copy that is complete


def fill_volume(root_fd: int, target: str, volume: str, *, mounted: bool = False) -> None:
    """Copy the directory `target` of the root into `volume`, if that is empty.

    Owner, mode and extended attributes of the directory itself come along. The copy is made
    beside the volume, and moved into it once it is whole: the directory itself stays, since a
    container that has it may run already. A volume whose content is `mounted` is filled in place.
    The lock lets a second container that starts on the same volume wait for it.
    """
    parent = os.path.dirname(volume)
    lock_fd = os.open(volume if mounted else parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(lock_fd, fcntl.LOCK_EX)
        if not mounted and os.path.isdir(f"{parent}/{_WHOLE}"):  # somebody was interrupted
            _move_into(volume, f"{parent}/{_WHOLE}")
        if not os.listdir(volume):
            _fill_empty(root_fd, target, volume, _copy_directory if mounted else _copy_whole)
    finally:
        os.close(lock_fd)


def _fill_empty(
    root_fd: int, target: str, volume: str, copy: Callable[[int, str, Links], None]
) -> None:
    try:
        source_fd = open_in_root(root_fd, os.fsencode(target), os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR):
            return
        raise
    try:
        copy(source_fd, volume, {})
    finally:
        os.close(source_fd)


def _copy_whole(source_fd: int, volume: str, links: Links) -> None:
    """As `_copy_directory`, by a copy beside the volume."""
    parent = os.path.dirname(volume)
    part, whole = f"{parent}/.filling", f"{parent}/{_WHOLE}"
    _remove(part)
    os.mkdir(part, 0o755)
    _copy_directory(source_fd, part, links)
    os.rename(part, whole)
    _move_into(volume, whole)


def _move_into(volume: str, whole: str) -> None:
    """A whole copy becomes the content; goes on where it was interrupted."""
    whole_fd = os.open(whole, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        found = os.fstat(whole_fd)  # before its time changes
        for name in os.listdir(whole_fd):
            os.rename(name, f"{volume}/{name}", src_dir_fd=whole_fd)
        _copy_attributes(whole_fd, volume, found)
    finally:
        os.close(whole_fd)
    os.rmdir(whole)


def copy_contents(source_fd: int, target: str, links: Links | None = None) -> None:
    """Copy what is in a directory to one that exists, which stays as it is itself."""
    links = {} if links is None else links
    for name in os.listdir(source_fd):
        _copy_entry(source_fd, name, f"{target}/{name}", links)


def _copy_directory(source_fd: int, target: str, links: Links) -> None:
    copy_contents(source_fd, target, links)
    _copy_attributes(source_fd, target, os.fstat(source_fd))


def _copy_entry(directory_fd: int, name: str, target: str, links: Links) -> None:
    found = os.stat(name, dir_fd=directory_fd, follow_symlinks=False)
    key = (found.st_dev, found.st_ino)
    if stat.S_ISDIR(found.st_mode):
        os.mkdir(target, 0o700)
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
        fd = os.open(name, flags, dir_fd=directory_fd)
        try:
            _copy_directory(fd, target, links)
        finally:
            os.close(fd)
    elif key in links:
        os.link(links[key], target)
    elif stat.S_ISLNK(found.st_mode):
        os.symlink(os.readlink(name, dir_fd=directory_fd), target)
        os.chown(target, found.st_uid, found.st_gid, follow_symlinks=False)
    elif stat.S_ISREG(found.st_mode):
        _copy_file(directory_fd, name, target, found)
        if found.st_nlink > 1:
            links[key] = target
    elif not stat.S_ISSOCK(found.st_mode):
        os.mknod(target, found.st_mode, found.st_rdev)
        os.chown(target, found.st_uid, found.st_gid)
        os.chmod(target, stat.S_IMODE(found.st_mode))


def _copy_file(directory_fd: int, name: str, target: str, found: os.stat_result) -> None:
    """The name may be another file by now, which must not block, and must not be a device."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    source_fd = os.open(name, flags, dir_fd=directory_fd)
    target_fd = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        if not stat.S_ISREG(os.fstat(source_fd).st_mode):
            raise OSError(errno.ESTALE, f"{name} has been replaced while it was copied")
        while os.sendfile(target_fd, source_fd, None, _CHUNK_BYTES):
            pass
        _copy_attributes(source_fd, target, found)
    finally:
        os.close(source_fd)
        os.close(target_fd)


def _copy_attributes(source_fd: int, target: str, found: os.stat_result) -> None:
    """Owner first: changing it clears setuid bits and file capabilities."""
    os.chown(target, found.st_uid, found.st_gid)
    for name in os.listxattr(source_fd):
        if not name.startswith(("trusted.overlay.", "user.overlay.")):
            os.setxattr(target, name, os.getxattr(source_fd, name))
    os.chmod(target, stat.S_IMODE(found.st_mode))
    os.utime(target, ns=(found.st_atime_ns, found.st_mtime_ns))


def _remove(path: str) -> None:
    """A copy that was interrupted."""
    for directory, names, files in os.walk(path, topdown=False):
        for name in files:
            os.unlink(f"{directory}/{name}")
        for name in names:
            inner = f"{directory}/{name}"
            os.unlink(inner) if os.path.islink(inner) else os.rmdir(inner)
    if os.path.isdir(path):
        os.rmdir(path)
