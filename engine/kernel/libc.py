"""The C library by ctypes, and the error of a failed call."""

from __future__ import annotations

import ctypes
import os

libc = ctypes.CDLL(None, use_errno=True)


class KernelCallError(OSError):
    """A failed call as it was made: `[Errno 1] mount(target='/a'): Operation not permitted`."""

    def __init__(self, call: str, **given: object) -> None:
        code = ctypes.get_errno()  # before anything else can overwrite it
        shown = ", ".join(f"{name}={value!r}" for name, value in given.items())
        super().__init__(code, f"{call}({shown}): {os.strerror(code)}")


def syscall(number: int, *arguments: int | bytes | None, name: str, **shown: object) -> int:
    """syscall(2) for calls that the C library does not wrap.

    Integers are passed as longs; `name` and `shown` are only for the error.
    """
    converted = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    result: int = _syscall(ctypes.c_long(number), *converted)
    if result < 0:
        raise KernelCallError(name, **shown)
    return result


_syscall = libc.syscall
_syscall.restype = ctypes.c_long


def prctl(option: int, second: int = 0, third: int = 0, *, name: str) -> int:
    """prctl(2); `name` is the option's name, for the error."""
    zero = ctypes.c_ulong(0)
    result: int = libc.prctl(option, ctypes.c_ulong(second), ctypes.c_ulong(third), zero, zero)
    if result < 0:
        raise KernelCallError("prctl", option=name, value=second)
    return result
