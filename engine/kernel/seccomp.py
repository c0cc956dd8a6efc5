"""Seccomp filters: from rules to a classic BPF program, and into the kernel.

Compiling is work for the command; what the container's init gets is bytes (`install`).
"""

from __future__ import annotations

import _thread
import ctypes
import os
import struct

from engine.kernel.libc import KernelCallError, libc

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

ALLOW = 0x7FFF0000
LOG = 0x7FFC0000
TRACE = 0x7FF00000  # | what the tracer is told
USER_NOTIF = 0x7FC00000
ERRNO = 0x00050000  # | errno
TRAP = 0x00030000
KILL_THREAD = 0
KILL_PROCESS = 0x80000000

# AUDIT_ARCH_*: include/uapi/linux/audit.h
AUDIT_ARCH = {"x86_64": 0xC000003E, "i386": 0x40000003, "aarch64": 0xC00000B7}
X32_SYSCALL_BIT = 0x40000000
MAX_INSTRUCTIONS = 4096

_ENOSYS = 38
_MACHINE = os.uname().machine  # what it is before a personality says otherwise
_NR_SECCOMP = {"x86_64": 317, "aarch64": 277}
_SET_MODE_FILTER = 1
SPEC_ALLOW, NEW_LISTENER = 1 << 2, 1 << 3
FILTER_FLAGS = {
    "TSYNC": 1 << 0,
    "LOG": 1 << 1,
    "SPEC_ALLOW": SPEC_ALLOW,
    "WAIT_KILLABLE_RECV": 1 << 5,
}

# BPF opcodes: include/uapi/linux/bpf_common.h
_LD_ABS, _JMP, _JEQ, _JGT, _JGE, _AND, _RET = 0x20, 0x05, 0x15, 0x25, 0x35, 0x54, 0x06
_NR, _ARCH, _ARGS = 0, 4, 16  # offsets in struct seccomp_data

Instruction = tuple[int, int, int, int]  # code, jt, jf, k


class Test:
    """A condition on one argument (64 bits, unsigned).

    op  "lt", "le", "eq", "ne", "ge", "gt" against `value`; "masked_eq": argument & mask == value
    """

    __slots__ = ("index", "mask", "op", "value")

    def __init__(self, index: int, op: str, value: int, mask: int = 0) -> None:
        self.index, self.op, self.value, self.mask = index, op, value, mask


class Rule:
    """What happens to one system call: the action of the first of `cases` whose tests all hold."""

    __slots__ = ("action", "cases")

    def __init__(self, action: int, cases: tuple[tuple[tuple[Test, ...], int], ...] = ()) -> None:
        self.action, self.cases = action, cases

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Rule)
            and not self.cases
            and (self.action, ())
            == (
                other.action,
                other.cases,
            )
        )

    __hash__ = None  # type: ignore[assignment]


def compile_filter(
    tables: dict[str, dict[int, Rule]], default: int, newer: int = ERRNO | _ENOSYS
) -> bytes:
    """The program for `tables`: architecture -> number -> rule.

    Numbers without a rule give `default`; above the highest number of an architecture's table they
    give `newer`: with ENOSYS, a libc newer than the profile falls back as on an older kernel
    (engine.md A12.5). An architecture that is not in `tables` is killed.
    """
    program: list[Instruction] = [(_LD_ABS, 0, 0, _ARCH)]
    for architecture, rules in tables.items():
        body = [(_LD_ABS, 0, 0, _NR), *_search(_intervals(architecture, rules, default, newer))]
        program += [
            (_JEQ, 1, 0, AUDIT_ARCH[architecture]),
            (_JMP, 0, 0, len(body)),
            *body,
        ]
    program.append((_RET, 0, 0, KILL_PROCESS))
    if len(program) > MAX_INSTRUCTIONS:
        raise ValueError(f"a seccomp filter of {len(program)} instructions; the kernel takes 4096")
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in program)


class _Program(ctypes.Structure):
    """struct sock_fprog."""

    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def install(program: bytes, flags: int = SPEC_ALLOW) -> int:
    """Filter this process from now on. Needs no_new_privs or SYS_ADMIN.

    With NEW_LISTENER in `flags` a descriptor is returned, by which USER_NOTIF is answered. Source:
    seccomp(2).
    """
    described = _Program(len(program) // 8, program)
    number = ctypes.c_long(_NR_SECCOMP[_MACHINE])
    mode = ctypes.c_long(_SET_MODE_FILTER)
    result: int = libc.syscall(number, mode, ctypes.c_long(flags), ctypes.byref(described))
    if result < 0:
        raise KernelCallError("seccomp", instructions=len(program) // 8, flags=flags)
    return result


def install_listened(program: bytes, flags: int, hand_over: Callable[[int], object]) -> None:
    """The same with NEW_LISTENER in `flags`: `hand_over` gets the descriptor.

    It is called on a thread that is not filtered, since the filter may be about what it calls:
    nobody could answer before it is done. What the filter has to let through is futex(2).
    """
    installed, handed = _thread.allocate_lock(), _thread.allocate_lock()
    installed.acquire()
    handed.acquire()
    taken: list[int] = []
    failures: list[OSError] = []

    def wait_and_hand_over() -> None:
        with installed:
            try:
                hand_over(taken[0])
            except OSError as error:
                failures.append(error)
        handed.release()

    _thread.start_new_thread(wait_and_hand_over, ())
    taken.append(install(program, flags))
    installed.release()
    handed.acquire()
    if failures:
        raise failures[0]


def _intervals(
    architecture: str, rules: dict[int, Rule], default: int, newer: int
) -> list[tuple[int, Rule]]:
    """Sorted (first number, rule), each valid up to the next one's first number."""
    by_default, highest = Rule(default), max(rules, default=-1)
    starts: list[tuple[int, Rule]] = []
    for number in range(highest + 1):
        rule = rules.get(number, by_default)
        if not starts or rule != starts[-1][1]:
            starts.append((number, rule))
    starts.append((highest + 1, Rule(newer)))
    if architecture == "x86_64":  # x32 numbers have bit 30: above all of ours
        starts.append((X32_SYSCALL_BIT, Rule(ERRNO | _ENOSYS)))
    return starts


def _search(starts: list[tuple[int, Rule]]) -> list[Instruction]:
    """A binary search over the intervals; the number is in the accumulator."""
    if len(starts) == 1:
        return _leaf(starts[0][1])
    middle = len(starts) // 2
    left, right = _search(starts[:middle]), _search(starts[middle:])
    bound = starts[middle][0]
    if len(left) <= 255:
        return [(_JGE, len(left), 0, bound), *left, *right]
    return [(_JGE, 0, 1, bound), (_JMP, 0, 0, len(left)), *left, *right]


def _leaf(rule: Rule) -> list[Instruction]:
    code: list[Instruction] = []
    for tests, action in rule.cases:
        code += _case(tests, action)
    return [*code, (_RET, 0, 0, rule.action)]


def _case(tests: tuple[Test, ...], action: int) -> list[Instruction]:
    """Return `action` if all tests hold, else go on behind."""
    code: list[Instruction] = [(_RET, 0, 0, action)]
    for test in reversed(tests):
        code = [*_test(test, len(code)), *code]
    return code


def _test(test: Test, rest: int) -> list[Instruction]:
    """Go on if it holds, else jump over `rest` instructions behind it. Little-endian halves."""
    low, high = _ARGS + 8 * test.index, _ARGS + 8 * test.index + 4
    value_low, value_high = test.value & 0xFFFFFFFF, test.value >> 32
    load_high: Instruction = (_LD_ABS, 0, 0, high)
    load_low: Instruction = (_LD_ABS, 0, 0, low)
    if test.op == "masked_eq":
        and_high: Instruction = (_AND, 0, 0, test.mask >> 32)
        and_low: Instruction = (_AND, 0, 0, test.mask & 0xFFFFFFFF)
        equal_high: Instruction = (_JEQ, 0, 3 + rest, value_high)
        return [load_high, and_high, equal_high, load_low, and_low, (_JEQ, 0, rest, value_low)]
    if test.op == "eq":
        return [load_high, (_JEQ, 0, 2 + rest, value_high), load_low, (_JEQ, 0, rest, value_low)]
    if test.op == "ne":
        return [load_high, (_JEQ, 0, 2, value_high), load_low, (_JEQ, rest, 0, value_low)]
    if test.op in ("gt", "ge"):
        last = _JGT if test.op == "gt" else _JGE
        above: Instruction = (_JGT, 3, 0, value_high)
        equal: Instruction = (_JEQ, 0, 2 + rest, value_high)
        return [load_high, above, equal, load_low, (last, 0, rest, value_low)]
    if test.op in ("lt", "le"):
        last = _JGE if test.op == "lt" else _JGT
        above = (_JGT, 3 + rest, 0, value_high)
        equal = (_JEQ, 0, 2, value_high)
        return [load_high, above, equal, load_low, (last, rest, 0, value_low)]
    raise ValueError(f"unknown test {test.op!r}")
