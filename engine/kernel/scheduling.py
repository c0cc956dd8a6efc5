"""When a process gets the CPU and the disk."""

from __future__ import annotations

import os
import struct

from engine.kernel.libc import syscall
from engine.kernel.syscalls import numbers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

# include/uapi/linux/sched.h
POLICIES = {
    "SCHED_OTHER": 0,
    "SCHED_FIFO": 1,
    "SCHED_RR": 2,
    "SCHED_BATCH": 3,
    "SCHED_ISO": 4,
    "SCHED_IDLE": 5,
    "SCHED_DEADLINE": 6,
}
SCHEDULER_FLAGS = {
    "SCHED_FLAG_RESET_ON_FORK": 0x01,
    "SCHED_FLAG_RECLAIM": 0x02,
    "SCHED_FLAG_DL_OVERRUN": 0x04,
    "SCHED_FLAG_KEEP_POLICY": 0x08,
    "SCHED_FLAG_KEEP_PARAMS": 0x10,
    "SCHED_FLAG_UTIL_CLAMP_MIN": 0x20,
    "SCHED_FLAG_UTIL_CLAMP_MAX": 0x40,
}
IO_CLASSES = {"IOPRIO_CLASS_RT": 1, "IOPRIO_CLASS_BE": 2, "IOPRIO_CLASS_IDLE": 3}

_ATTRIBUTES = struct.Struct("=IIQiIQQQ")  # struct sched_attr, its first version
_IOPRIO_WHO_PROCESS, _IOPRIO_CLASS_SHIFT = 1, 13


def set_scheduler(
    policy: str,
    *,
    nice: int = 0,
    priority: int = 0,
    flags: Sequence[str] = (),
    runtime_ns: int = 0,
    deadline_ns: int = 0,
    period_ns: int = 0,
) -> None:
    """sched_setattr(2) of this process. Policy and flags by the kernel's names; KeyError for
    one that there is not."""
    attributes = _ATTRIBUTES.pack(
        _ATTRIBUTES.size,
        POLICIES[policy],
        sum(SCHEDULER_FLAGS[flag] for flag in flags),
        *(nice, priority, runtime_ns, deadline_ns, period_ns),
    )
    syscall(_number("sched_setattr"), 0, attributes, 0, name="sched_setattr", policy=policy)


def set_io_priority(kind: str, priority: int) -> None:
    """ioprio_set(2) of this process: class by the kernel's name, 0 (first) to 7."""
    value = IO_CLASSES[kind] << _IOPRIO_CLASS_SHIFT | priority
    call = (_number("ioprio_set"), _IOPRIO_WHO_PROCESS, 0, value)
    syscall(*call, name="ioprio_set", kind=kind, priority=priority)


def parse_cpus(text: str) -> set[int]:
    """`0-2,7` -> {0, 1, 2, 7}. Raises ValueError."""
    found: set[int] = set()
    for part in filter(None, text.replace(" ", "").split(",")):
        first, _, last = part.partition("-")
        found.update(range(int(first), int(last or first) + 1))
    return found


def _number(name: str) -> int:
    return numbers(os.uname().machine)[name]
