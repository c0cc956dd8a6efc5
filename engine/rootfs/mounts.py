"""The mounts of a container, made inside its root before that becomes `/`.

Everything in the root is taken for hostile: targets are resolved with openat2 below the root,
mounted on by descriptor, and what is missing is made component by component.
"""

from __future__ import annotations

import errno
import os
import stat

from engine.kernel import mounts
from engine.kernel.mountoptions import MountOptions, attributes_of
from engine.kernel.openat2 import open_in_root, stat_in_root
from engine.rootfs.fill import copy_contents, fill_volume
from engine.rootfs.sources import open_source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# All that may be mounted over below /proc: what lxcfs replaces (engine.md A2.12).
_ALLOWED_BELOW_PROC = frozenset(
    f"/proc/{name}"
    for name in [
        "cpuinfo",
        "diskstats",
        "meminfo",
        "stat",
        "swaps",
        "uptime",
        "loadavg",
        "slabinfo",
        "sys/kernel/ns_last_pid",
        "sys/crypto/fips_enabled",
    ]
)

_MOST_LINKS = 40  # as the kernel
_PROC_MAGIC = 0x9FA0
_NOT_PROC = "only a proc filesystem can be there: the kernel's settings are written by way of it"


class MountError(Exception):
    """A mount that could not be made: `target`, `source` and the reason."""

    def __init__(self, entry: dict[str, Any], reason: str) -> None:
        super().__init__(f"cannot mount {entry['source']} at {entry['destination']}: {reason}")
        self.entry, self.reason = entry, reason


def make_mount(root_fd: int, entry: dict[str, Any]) -> None:
    """Make one entry of `mounts` of the OCI runtime specification below `root_fd`.

    Of ours beside those of the specification: `fill` for a volume that may be empty
    (`mounted`: its content is elsewhere), and what `sources.open_source` takes.
    """
    destination = os.path.normpath(entry["destination"])
    if destination == "/":
        raise MountError(entry, "the target may not be /")
    if destination.startswith("/proc/") and destination not in _ALLOWED_BELOW_PROC:
        raise MountError(entry, "nothing may be mounted inside /proc")
    options = MountOptions(entry["options"])
    if destination == "/proc" and not options.is_bind and entry["type"] != "proc":
        raise MountError(entry, _NOT_PROC)
    try:
        if entry.get("fill"):
            source, mounted = entry["source"], entry.get("mounted", False)
            if "tree_fd" in entry:
                source, mounted = f"/proc/self/fd/{entry['tree_fd']}", True
            fill_volume(root_fd, destination, source, mounted=mounted)
        if options.is_bind:
            _bind(root_fd, destination, entry, options)
        else:
            _mount_new(root_fd, destination, entry, options)
    except OSError as error:
        raise MountError(entry, error.strerror or str(error)) from error


def _bind(root_fd: int, destination: str, entry: dict[str, Any], options: MountOptions) -> None:
    tree_fd = open_source(entry, options)
    try:
        if destination == "/proc" and mounts.filesystem_of(tree_fd) != _PROC_MAGIC:
            raise MountError(entry, _NOT_PROC)
        is_directory = stat.S_ISDIR(os.fstat(tree_fd).st_mode)
        propagation = options.propagation or mounts.MS_PRIVATE | mounts.MS_REC
        below = bool(propagation & mounts.MS_REC)
        mounts.set_attributes(tree_fd, propagation=propagation, recursive=below)
        _restrict(tree_fd, options)
        _move_to(root_fd, destination, tree_fd, is_directory)
    finally:
        os.close(tree_fd)


def _restrict(tree_fd: int, options: MountOptions) -> None:
    """The attributes of a mount, and those of all that are mounted below it."""
    own = attributes_of(options.flags, options.cleared)
    whole = attributes_of(*options.tree)
    for (wanted, unwanted), recursive in ((own, False), (whole, True)):
        if wanted or unwanted:
            mounts.set_attributes(tree_fd, wanted=wanted, unwanted=unwanted, recursive=recursive)


def _mount_new(
    root_fd: int, destination: str, entry: dict[str, Any], options: MountOptions
) -> None:
    words = [options.data] if options.data else []
    if entry["type"] == "tmpfs" and (mode := _mode_of(root_fd, destination)) is not None:
        words = [f"mode={mode:04o}", *words]  # of two, the later one counts
    target_fd = ensure_target(root_fd, destination, directory=True)
    try:
        _check_target(root_fd, target_fd, destination, entry["type"])
        path = f"/proc/self/fd/{target_fd}"
        writable = options.flags & ~mounts.MS_RDONLY if options.copies_up else options.flags
        mounts.mount(entry["source"], path, entry["type"], writable, ",".join(words))
        if options.copies_up or options.propagation or any(options.tree):
            _finish_new(root_fd, destination, target_fd, options)
    finally:
        os.close(target_fd)


def _mode_of(root_fd: int, path: str) -> int | None:
    """Permissions of a directory that the image has; None: there is none."""
    try:
        return stat.S_IMODE(stat_in_root(root_fd, os.fsencode(path), os.O_DIRECTORY).st_mode)
    except FileNotFoundError:
        return None


def _finish_new(root_fd: int, destination: str, below_fd: int, options: MountOptions) -> None:
    """What mount(2) does not do in one call. below_fd: the directory that is mounted on"""
    top_fd = open_in_root(root_fd, os.fsencode(destination), os.O_PATH | os.O_DIRECTORY)
    try:
        if options.copies_up:
            source_fd = os.open(f"/proc/self/fd/{below_fd}", os.O_RDONLY | os.O_DIRECTORY)
            try:
                copy_contents(source_fd, f"/proc/self/fd/{top_fd}")
            finally:
                os.close(source_fd)
        if options.propagation:
            mounts.mount("", f"/proc/self/fd/{top_fd}", flags=options.propagation)
        _restrict(top_fd, options)
    finally:
        os.close(top_fd)


def _move_to(root_fd: int, destination: str, tree_fd: int, is_directory: bool) -> None:
    target_fd = ensure_target(root_fd, destination, directory=is_directory)
    try:
        _check_target(root_fd, target_fd, destination, "bind")
        mounts.move_mount(tree_fd, target_fd)
    finally:
        os.close(target_fd)


def _check_target(root_fd: int, target_fd: int, destination: str, fstype: str) -> None:
    """Where symbolic links of the image have led: not to the root itself, not below /proc.

    /proc and /sys must be plain directories: a link would mount them elsewhere.
    """
    root = os.readlink(f"/proc/self/fd/{root_fd}").rstrip("/")
    found = os.readlink(f"/proc/self/fd/{target_fd}").removeprefix(root)
    if fstype in ("proc", "sysfs"):
        allowed = found == destination
    else:
        below_proc = f"{found}/".startswith("/proc/") and found not in _ALLOWED_BELOW_PROC
        allowed = found not in ("", "/") and (not below_proc or found == destination)
    if not allowed:
        raise OSError(errno.ELOOP, f"it is a symbolic link in the image, to {found or '/'}")


def ensure_target(root_fd: int, path: str, *, directory: bool, links: int = 0) -> int:
    """An O_PATH descriptor of `path` inside the root, made if it is missing.

    Parents are made with mode 0755; the last component becomes a directory or an empty file. What
    symbolic links lead to is made inside the root, too.

    links  how many have been followed so far
    """
    try:
        return open_in_root(root_fd, os.fsencode(path), os.O_PATH)
    except FileNotFoundError:
        pass
    parent_fd = ensure_target(root_fd, os.path.dirname(path), directory=True, links=links)
    name = os.path.basename(path)
    try:
        if directory:
            os.mkdir(name, 0o755, dir_fd=parent_fd)
        else:
            flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC
            os.close(os.open(name, flags, 0o644, dir_fd=parent_fd))
    except FileExistsError:
        return _behind_link(root_fd, parent_fd, path, directory, links)
    finally:
        os.close(parent_fd)
    return open_in_root(root_fd, os.fsencode(path), os.O_PATH)


def _behind_link(root_fd: int, parent_fd: int, path: str, directory: bool, links: int) -> int:
    """`path` exists but leads nowhere: a dangling symbolic link.

    Or another container on the same volume was quicker, and all is well.
    """
    try:
        linked = os.readlink(os.path.basename(path), dir_fd=parent_fd)
    except OSError:
        return open_in_root(root_fd, os.fsencode(path), os.O_PATH)
    if links >= _MOST_LINKS:
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
    target = os.path.normpath(os.path.join("/", os.path.dirname(path), linked))
    return ensure_target(root_fd, target, directory=directory, links=links + 1)


def ensure_directory(root_fd: int, path: str) -> int:
    """The same for a directory; NotADirectoryError if it is something else."""
    fd = ensure_target(root_fd, path.rstrip("/") or "/", directory=True)
    if not stat.S_ISDIR(os.fstat(fd).st_mode):
        os.close(fd)
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
    return fd
