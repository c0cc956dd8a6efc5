"""The compiled filter says what the rules say: run here by a small classic BPF interpreter."""

from __future__ import annotations

import errno
import os
import struct
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.kernel.seccomp import (
    ALLOW,
    AUDIT_ARCH,
    ERRNO,
    KILL_PROCESS,
    MAX_INSTRUCTIONS,
    X32_SYSCALL_BIT,
    Rule,
    compile_filter,
)
from engine.kernel.seccomp import Test as Condition  # pytest would take it for one of ours

DENIED = ERRNO | errno.EPERM
UNKNOWN = ERRNO | errno.ENOSYS
ARGUMENT = st.one_of(
    st.integers(0, 40),
    st.integers(0, 2**64 - 1),
    st.sampled_from([2**32 - 1, 2**32, 2**32 + 1, 2**63, 2**64 - 1]),
)


def run(program: bytes, architecture: int, number: int, arguments: tuple[int, ...] = ()) -> int:
    """What the kernel would answer. Source: Documentation/networking/filter.rst."""
    padded = (*arguments, *(0,) * (6 - len(arguments)))
    data = struct.pack("=IIQ6Q", number, architecture, 0, *padded)
    code = [struct.unpack_from("=HBBI", program, at) for at in range(0, len(program), 8)]
    accumulator, counter = 0, 0
    while True:
        operation, jump_true, jump_false, constant = code[counter]
        counter += 1
        if operation == 0x20:
            (accumulator,) = struct.unpack_from("=I", data, constant)
        elif operation == 0x54:
            accumulator &= constant
        elif operation == 0x05:
            counter += constant
        elif operation == 0x06:
            return int(constant)
        else:
            true = {
                0x15: accumulator == constant,
                0x25: accumulator > constant,
                0x35: accumulator >= constant,
            }[operation]
            counter += jump_true if true else jump_false


def expected(table: dict[int, Rule], default: int, number: int, arguments: tuple[int, ...]) -> int:
    """The same from the rules, as one would read them."""
    if number > max(table):
        return UNKNOWN
    rule = table.get(number)
    if rule is None:
        return default
    for tests, action in rule.cases:
        if all(holds(test, arguments[test.index]) for test in tests):
            return action
    return rule.action


def holds(test: Condition, argument: int) -> bool:
    return {
        "eq": argument == test.value,
        "ne": argument != test.value,
        "lt": argument < test.value,
        "le": argument <= test.value,
        "gt": argument > test.value,
        "ge": argument >= test.value,
        "masked_eq": argument & test.mask == test.value,
    }[test.op]


ACTION = st.sampled_from([ALLOW, DENIED, UNKNOWN, ERRNO | 13])
CONDITION = st.builds(
    Condition,
    index=st.integers(0, 5),
    op=st.sampled_from(["eq", "ne", "lt", "le", "gt", "ge", "masked_eq"]),
    value=ARGUMENT,
    mask=ARGUMENT,
)
CASE = st.tuples(st.lists(CONDITION, min_size=1, max_size=3).map(tuple), ACTION)
RULE = st.builds(Rule, action=ACTION, cases=st.lists(CASE, max_size=3).map(tuple))
TABLE = st.dictionaries(st.integers(0, 460), RULE, min_size=1, max_size=60)
ARGUMENTS = st.tuples(*(ARGUMENT,) * 6)


@settings(max_examples=150, deadline=None)
@given(table=TABLE, arguments=ARGUMENTS, near=st.booleans(), data=st.data())
def test_the_program_gives_what_the_rules_say(
    table: dict[int, Rule], arguments: tuple[int, ...], near: bool, data: st.DataObject
) -> None:
    tests = [test for rule in table.values() for some, _ in rule.cases for test in some]
    if near and tests:  # arguments at the edges of what is tested for
        test = data.draw(st.sampled_from(tests))
        edge = (test.value + data.draw(st.integers(-1, 1))) % 2**64
        arguments = tuple(edge if index == test.index else a for index, a in enumerate(arguments))
    program = compile_filter({"x86_64": table}, DENIED)
    for number in (*table, 0, max(table) + 1, data.draw(st.integers(0, 500)), 2**31, 2**32 - 1):
        answer = run(program, AUDIT_ARCH["x86_64"], number, arguments)
        assert answer == expected(table, DENIED, number, arguments), number


@settings(max_examples=50, deadline=None)
@given(native=TABLE, compatible=TABLE, arguments=ARGUMENTS, number=st.integers(0, 500))
def test_each_architecture_has_its_own_table(
    native: dict[int, Rule], compatible: dict[int, Rule], arguments: tuple[int, ...], number: int
) -> None:
    program = compile_filter({"x86_64": native, "i386": compatible}, ALLOW)
    for name, table in (("x86_64", native), ("i386", compatible)):
        answer = run(program, AUDIT_ARCH[name], number, arguments)
        assert answer == expected(table, ALLOW, number, arguments)
    assert run(program, AUDIT_ARCH["aarch64"], number, arguments) == KILL_PROCESS


def test_x32_calls_are_unknown() -> None:
    program = compile_filter({"x86_64": {0: Rule(ALLOW), 59: Rule(ALLOW)}}, ALLOW)
    assert run(program, AUDIT_ARCH["x86_64"], X32_SYSCALL_BIT | 59) == UNKNOWN


def test_long_ways_are_jumped_over() -> None:
    """Conditional jumps reach 255 instructions: 400 different rules need more."""
    table = {n: Rule(ERRNO | n, (((Condition(0, "eq", n),), ALLOW),)) for n in range(0, 400, 1)}
    program = compile_filter({"x86_64": table}, DENIED)
    assert len(program) // 8 <= MAX_INSTRUCTIONS
    for number in table:
        assert run(program, AUDIT_ARCH["x86_64"], number, (number,)) == ALLOW
        assert run(program, AUDIT_ARCH["x86_64"], number, (number + 1,)) == ERRNO | number


def test_a_program_the_kernel_would_refuse_is_not_made() -> None:
    cases = tuple(((Condition(0, "masked_eq", n, n),), ALLOW) for n in range(20))
    with pytest.raises(ValueError, match="4096"):
        compile_filter({"x86_64": {n: Rule(DENIED, cases) for n in range(0, 400, 2)}}, DENIED)


INSTALL = """
import ctypes, errno, os
from engine.kernel.process import set_no_new_privileges
from engine.kernel.seccomp import *
from engine.kernel.syscalls import numbers
names = numbers(os.uname().machine)
rules = {n: Rule(ALLOW) for n in names.values()}
rules[names["getpriority"]] = Rule(ERRNO | 95, (((Test(1, "eq", 2**32),), ALLOW),))
set_no_new_privileges()
install(compile_filter({os.uname().machine: rules}, ALLOW))
libc = ctypes.CDLL(None, use_errno=True)
def call(second):
    number = ctypes.c_long(names["getpriority"])
    result = libc.syscall(number, ctypes.c_long(0), ctypes.c_long(second))
    return result < 0 and ctypes.get_errno()
print(call(0) == 95, call(2**32) != 95)
"""


def test_the_kernel_takes_a_program_and_obeys() -> None:
    done = subprocess.run([sys.executable, "-c", INSTALL], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("True True\n", "")


def test_the_machine_is_one_we_know() -> None:
    assert os.uname().machine in AUDIT_ARCH
