"""Mounts: mount(2), pivot_root(2), and the descriptor-based calls of Linux 5.2 and later."""

from __future__ import annotations

import ctypes
import os

from engine.kernel.libc import KernelCallError, libc, syscall
from engine.kernel.namespaces import CLONE_NEWNS, open_own, setns

# include/uapi/linux/mount.h
MS_RDONLY = 0x1
MS_NOSUID = 0x2
MS_NODEV = 0x4
MS_NOEXEC = 0x8
MS_SYNCHRONOUS = 0x10
MS_REMOUNT = 0x20
MS_MANDLOCK = 0x40
MS_DIRSYNC = 0x80
MS_NOSYMFOLLOW = 0x100
MS_NOATIME = 0x400
MS_NODIRATIME = 0x800
MS_BIND = 0x1000
MS_MOVE = 0x2000
MS_REC = 0x4000
MS_SILENT = 0x8000
MS_UNBINDABLE = 0x20000
MS_PRIVATE = 0x40000
MS_SLAVE = 0x80000
MS_SHARED = 0x100000
MS_RELATIME = 0x200000
MS_I_VERSION = 0x800000
MS_STRICTATIME = 0x1000000
MS_LAZYTIME = 0x2000000
MNT_DETACH = 0x2
AT_FDCWD = -100
AT_EMPTY_PATH = 0x1000
AT_RECURSIVE = 0x8000
OPEN_TREE_CLONE = 0x1
OPEN_TREE_CLOEXEC = os.O_CLOEXEC
MOVE_MOUNT_F_EMPTY_PATH = 0x4
MOVE_MOUNT_T_EMPTY_PATH = 0x40
MOUNT_ATTR_RDONLY = 0x1
MOUNT_ATTR_NOSUID = 0x2
MOUNT_ATTR_NODEV = 0x4
MOUNT_ATTR_NOEXEC = 0x8
MOUNT_ATTR_RELATIME = 0x0
MOUNT_ATTR_NOATIME = 0x10
MOUNT_ATTR_STRICTATIME = 0x20
MOUNT_ATTR_ATIME = 0x70  # the field of those three
MOUNT_ATTR_NODIRATIME = 0x80
MOUNT_ATTR_IDMAP = 0x100000
MOUNT_ATTR_NOSYMFOLLOW = 0x200000
FSOPEN_CLOEXEC = 0x1
FSMOUNT_CLOEXEC = 0x1
FSCONFIG_SET_FLAG = 0
FSCONFIG_SET_STRING = 1
FSCONFIG_CMD_CREATE = 6

PROPAGATION: dict[str, int] = {
    "private": MS_PRIVATE,
    "rprivate": MS_PRIVATE | MS_REC,
    "slave": MS_SLAVE,
    "rslave": MS_SLAVE | MS_REC,
    "shared": MS_SHARED,
    "rshared": MS_SHARED | MS_REC,
    "unbindable": MS_UNBINDABLE,
    "runbindable": MS_UNBINDABLE | MS_REC,
}

# The numbers above 423 are the same on every architecture.
_NR_OPEN_TREE, _NR_MOVE_MOUNT, _NR_FSOPEN, _NR_FSCONFIG, _NR_FSMOUNT = 428, 429, 430, 431, 432
_NR_MOUNT_SETATTR = 442
_NR_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41, "riscv64": 41, "s390x": 217, "ppc64le": 203}

_mount = libc.mount
_mount.argtypes = (
    ctypes.c_char_p,
    ctypes.c_char_p,
    ctypes.c_char_p,
    ctypes.c_ulong,
    ctypes.c_char_p,
)
libc.umount2.argtypes = (ctypes.c_char_p, ctypes.c_int)


def mount(source: str, target: str, fstype: str = "", flags: int = 0, data: str = "") -> None:
    """mount(2). Empty words are passed as NULL."""
    words = [os.fsencode(word) or None for word in (source, target, fstype)]
    if _mount(*words, flags, os.fsencode(data) or None) < 0:
        raise KernelCallError(
            "mount", source=source, target=target, fstype=fstype, flags=hex(flags), data=data
        )


def unmount(target: str, flags: int = MNT_DETACH) -> None:
    """umount2(2), detached unless told otherwise."""
    if libc.umount2(os.fsencode(target), flags) < 0:
        raise KernelCallError("umount2", target=target)


def filesystem_of(fd: int) -> int:
    """The magic number of the filesystem that `fd` is on: PROC_SUPER_MAGIC and the like."""
    buffer = ctypes.create_string_buffer(256)
    if libc.fstatfs(fd, buffer) < 0:
        raise KernelCallError("fstatfs", fd=fd)
    return int.from_bytes(buffer.raw[:8], "little")


def mount_point_of(path: str) -> str:
    """The mount point that `path`, without symbolic links in it, lies on."""
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        points = [_unescaped(line.split(" ")[4]) for line in file]
    inside = f"{path.rstrip('/')}/"
    return max((p for p in points if inside.startswith(f"{p.rstrip('/')}/")), key=len)


def _unescaped(word: str) -> str:
    """mountinfo writes space, tab, newline and backslash in octal."""
    for character in " \t\n\\":
        word = word.replace(f"\\{ord(character):03o}", character)
    return word


def become_root(root_fd: int, *, pivot: bool = True) -> None:
    """Make the mount that `root_fd` is open on the root of this mount namespace, and nothing else.

    pivot  False: on top of the old root, which stays below, where that is a ramfs that cannot be
           replaced (an initrd)

    pivot_root(2) replaces the root of its caller. In a chroot that is not the namespace's, which
    would stay behind everything, for whoever joins the namespace to find: joining our own takes
    us out of a chroot first. The old root ends up stacked on the new one, and is unmounted there.
    """
    own_fd = open_own("mnt")
    try:
        setns(own_fd, CLONE_NEWNS)
    finally:
        os.close(own_fd)
    os.fchdir(root_fd)
    if not pivot:
        mount(".", "/", flags=MS_MOVE)
        os.chroot(".")
        os.chdir("/")
        return
    syscall(_NR_PIVOT_ROOT[os.uname().machine], b".", b".", name="pivot_root")
    unmount(".")
    os.chdir("/")


def open_tree(path: str, *, recursive: bool = False, directory_fd: int = AT_FDCWD) -> int:
    """A descriptor of a detached copy of the mount at `path`: not visible anywhere until moved.

    Source: open_tree(2), Linux 5.2. The caller closes it.
    """
    flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (AT_RECURSIVE if recursive else 0)
    if not path:
        flags |= AT_EMPTY_PATH
    return syscall(
        _NR_OPEN_TREE, directory_fd, os.fsencode(path), flags, name="open_tree", path=path
    )


def move_mount(tree_fd: int, target_fd: int) -> None:
    """Mount the detached tree on what `target_fd` is open on. Source: move_mount(2)."""
    flags = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH
    syscall(
        _NR_MOVE_MOUNT, tree_fd, b"", target_fd, b"", flags, name="move_mount", target=target_fd
    )


class _MountAttributes(ctypes.Structure):
    """struct mount_attr of mount_setattr(2)."""

    _fields_ = (
        ("set", ctypes.c_uint64),
        ("clear", ctypes.c_uint64),
        ("propagation", ctypes.c_uint64),
        ("userns_fd", ctypes.c_uint64),
    )


def set_attributes(
    tree_fd: int,
    *,
    read_only: bool = False,
    wanted: int = 0,
    unwanted: int = 0,
    propagation: int = 0,
    recursive: bool = False,
    userns_fd: int | None = None,
) -> None:
    """Change the mount that `tree_fd` is the root of, or with `recursive` all below it too.

    wanted, unwanted  MOUNT_ATTR_* to set and to clear
    propagation       MS_PRIVATE, MS_SLAVE, MS_SHARED, or 0 to leave it
    userns_fd         user namespace, for whose ids those of its files are taken from now on

    Source: mount_setattr(2), Linux 5.12.
    """
    attributes = _MountAttributes(
        set=wanted | (MOUNT_ATTR_RDONLY if read_only else 0),
        clear=unwanted,
        propagation=propagation & ~MS_REC,
    )
    if userns_fd is not None:
        attributes.set |= MOUNT_ATTR_IDMAP
        attributes.userns_fd = userns_fd
    flags = AT_EMPTY_PATH | (AT_RECURSIVE if recursive else 0)
    result = libc.syscall(
        ctypes.c_long(_NR_MOUNT_SETATTR),
        ctypes.c_long(tree_fd),
        b"",
        ctypes.c_long(flags),
        ctypes.byref(attributes),
        ctypes.c_long(ctypes.sizeof(attributes)),
    )
    if result < 0:
        raise KernelCallError("mount_setattr", fd=tree_fd, set=attributes.set, clear=unwanted)


def filesystem(fstype: str, options: list[tuple[str, str]]) -> int:
    """A descriptor of a new, detached mount of a filesystem made with `options` (key, value).

    Unlike the data of mount(2), which the kernel cuts at a page, the options have no total limit;
    each value may have 255 bytes. Source: fsopen(2), fsconfig(2), fsmount(2), Linux 5.2.
    """
    context = syscall(_NR_FSOPEN, fstype.encode(), FSOPEN_CLOEXEC, name="fsopen", fstype=fstype)
    try:
        for key, value in options:
            word = os.fsencode(value) if value else None
            command = FSCONFIG_SET_STRING if value else FSCONFIG_SET_FLAG
            arguments = (context, command, key.encode(), word, 0)
            syscall(_NR_FSCONFIG, *arguments, name="fsconfig", key=key, value=value)
        create = (context, FSCONFIG_CMD_CREATE, None, None, 0)
        syscall(_NR_FSCONFIG, *create, name="fsconfig", fstype=fstype, options=options)
        return syscall(_NR_FSMOUNT, context, FSMOUNT_CLOEXEC, 0, name="fsmount", fstype=fstype)
    finally:
        os.close(context)
