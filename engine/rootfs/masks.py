"""Paths of /proc and /sys that a container may not read, or not write."""

from __future__ import annotations

import os
import stat

from engine.kernel import mounts

MASKED = (
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
)
READ_ONLY = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")

_CPUS = "/sys/devices/system/cpu"

_NULL = os.makedev(1, 3)


def masked_paths() -> list[str]:
    """MASKED, and what tells how hot each processor runs: programs beside it can be told apart."""
    try:
        names = sorted(os.listdir(_CPUS))
    except FileNotFoundError:
        return list(MASKED)
    cpus = [name for name in names if name.startswith("cpu") and name[3:].isdecimal()]
    paths = [f"{_CPUS}/{name}/thermal_throttle" for name in cpus]
    return [*MASKED, *(path for path in paths if os.path.exists(path))]


def mask(paths: list[str]) -> None:
    """Cover each path, as seen from the new root: files with /dev/null, directories with nothing.

    Missing ones are skipped. One empty tmpfs serves all directories: a superblock for each would
    cost a millisecond to reap.
    """
    null_fd = os.open("/dev/null", os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    empty_fd = None
    try:
        found = os.fstat(null_fd)
        if not stat.S_ISCHR(found.st_mode) or found.st_rdev != _NULL:
            raise OSError("/dev/null of the container is not the null device")
        for path in dict.fromkeys(paths):
            target_fd = _find(path)
            if target_fd is None:
                continue
            if stat.S_ISDIR(os.fstat(target_fd).st_mode):
                if empty_fd is None:  # itself at the first place: before Linux 6.15 there is
                    empty_fd = _empty_directory()  # no copy of what is not mounted anywhere
                    mounts.move_mount(empty_fd, target_fd)
                else:
                    _cover(target_fd, empty_fd)
            else:
                _cover(target_fd, null_fd)
            os.close(target_fd)
    finally:
        os.close(null_fd)
        if empty_fd is not None:
            os.close(empty_fd)


def make_read_only(paths: list[str]) -> None:
    """Bind each path on itself, read-only, with all mounts below it. Missing ones are skipped."""
    for path in dict.fromkeys(paths):
        target_fd = _find(path)
        if target_fd is None:
            continue
        tree_fd = mounts.open_tree("", recursive=True, directory_fd=target_fd)
        mounts.set_attributes(tree_fd, read_only=True, recursive=True)
        mounts.move_mount(tree_fd, target_fd)
        os.close(tree_fd)
        os.close(target_fd)


def _find(path: str) -> int | None:
    try:
        return os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None


def _cover(target_fd: int, source_fd: int) -> None:
    tree_fd = mounts.open_tree("", directory_fd=source_fd)
    try:
        mounts.move_mount(tree_fd, target_fd)
    finally:
        os.close(tree_fd)


def _empty_directory() -> int:
    """A detached, read-only tmpfs that has no room for anything."""
    limits = [("nr_blocks", "1"), ("nr_inodes", "2"), ("mode", "0555")]
    tree_fd = mounts.filesystem("tmpfs", [("source", "tmpfs"), *limits])
    mounts.set_attributes(tree_fd, read_only=True)
    return tree_fd
