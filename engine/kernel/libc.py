"""The C library by ctypes, and the error of a failed call."""

from __future__ import annotations

import ctypes
import os

libc = ctypes.CDLL(None, use_errno=True)


class KernelCallError(OSError):
    """A failed call as it was made: `[Errno 1] mount(target='/a'): Operation not permitted`.

    It is also what Python's own calls raise for that errno: `except FileNotFoundError` catches
    an ENOENT of ours.
    """

    def __new__(cls, call: str, **given: object) -> KernelCallError:
        code = ctypes.get_errno()  # before anything else can overwrite it
        shown = ", ".join(f"{name}={value!r}" for name, value in given.items())
        kind = _both(cls, type(OSError(code, "")))
        return OSError.__new__(kind, code, f"{call}({shown}): {os.strerror(code)}")

    def __init__(self, call: str, **given: object) -> None:
        """All is done by then: an OSError takes its errno when it is made."""


_kinds: dict[type, type[KernelCallError]] = {}


def _both(cls: type[KernelCallError], kind: type[OSError]) -> type[KernelCallError]:
    if kind is OSError:
        return cls
    if kind not in _kinds:
        _kinds[kind] = type(cls.__name__, (cls, kind), {})
    return _kinds[kind]


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


libc.prctl.argtypes = (ctypes.c_int, *(ctypes.c_ulong,) * 4)


def prctl(option: int, second: int = 0, third: int = 0, *, name: str) -> int:
    """prctl(2); `name` is the option's name, for the error."""
    result: int = libc.prctl(option, second, third, 0, 0)
    if result < 0:
        raise KernelCallError("prctl", option=name, value=second)
    return result
