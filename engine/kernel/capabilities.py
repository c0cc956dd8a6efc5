"""Capabilities: names, and what a process keeps of them."""

from __future__ import annotations

import ctypes

from engine.kernel.libc import KernelCallError, libc, prctl

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

# In the order of include/uapi/linux/capability.h: the index is the number.
NAMES = [
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
]
NUMBERS = {name: number for number, name in enumerate(NAMES)}

# What a container has unless told otherwise: the set that Docker grants (engine.md A6.1).
DEFAULT = [
    "CHOWN",
    "DAC_OVERRIDE",
    "FSETID",
    "FOWNER",
    "MKNOD",
    "NET_RAW",
    "SETGID",
    "SETUID",
    "SETFCAP",
    "SETPCAP",
    "NET_BIND_SERVICE",
    "SYS_CHROOT",
    "KILL",
    "AUDIT_WRITE",
]

_PR_CAPBSET_READ, _PR_CAPBSET_DROP = 23, 24
_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, _PR_CAP_AMBIENT_CLEAR_ALL = 47, 2, 4
_VERSION_3 = 0x20080522


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Data(ctypes.Structure):
    _fields_ = (
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    )


def bounding() -> list[str]:
    """Names in this process's bounding set: all that anything started from here can have."""
    return [name for number, name in enumerate(NAMES) if _in_bounding_set(number)]


def drop_bounding(keep: Sequence[str]) -> None:
    """Drop everything but `keep` from the bounding set. Needs SETPCAP."""
    kept = {NUMBERS[name] for name in keep}
    number = 0
    while (present := _in_bounding_set(number)) is not None:
        if present and number not in kept:
            prctl(_PR_CAPBSET_DROP, number, name="PR_CAPBSET_DROP")
        number += 1


def set_capabilities(
    permitted: Sequence[str],
    *,
    effective: Sequence[str] | None = None,
    inheritable: Sequence[str] = (),
    ambient: Sequence[str] = (),
) -> None:
    """What this process has from now on; `effective` is `permitted` unless it is given.

    An inheritable set that is not empty gives capabilities to files of the image that name them
    (CVE-2022-24769).
    """
    header = _Header(_VERSION_3, 0)
    effective = permitted if effective is None else effective
    masks = [_mask(names) for names in (effective, permitted, inheritable)]
    low = _Data(*(mask & 0xFFFFFFFF for mask in masks))
    high = _Data(*(mask >> 32 for mask in masks))
    if libc.capset(ctypes.byref(header), ctypes.byref((_Data * 2)(low, high))) < 0:
        raise KernelCallError("capset", permitted=permitted, inheritable=inheritable)
    prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL, name="PR_CAP_AMBIENT")
    for name in ambient:
        prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, NUMBERS[name], name="PR_CAP_AMBIENT")


def _mask(names: Sequence[str]) -> int:
    return sum(1 << NUMBERS[name] for name in set(names))


def _in_bounding_set(number: int) -> bool | None:
    """None past the last capability that this kernel knows."""
    result = libc.prctl(_PR_CAPBSET_READ, number, 0, 0, 0)
    return None if result < 0 else bool(result)
