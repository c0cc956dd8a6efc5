"""A seccomp profile in the words of the OCI runtime specification, and the filter it comes to.

What libseccomp makes of the same profile in runc is the measure. Source: runtime-spec
config-linux.md, "Seccomp".
"""

from __future__ import annotations

import errno
import os

from engine.kernel.seccomp import (
    ALLOW,
    ERRNO,
    FILTER_FLAGS,
    KILL_PROCESS,
    KILL_THREAD,
    LOG,
    NEW_LISTENER,
    TRACE,
    TRAP,
    USER_NOTIF,
    Rule,
    Test,
    compile_filter,
)
from engine.kernel.syscalls import numbers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    Case = tuple[tuple[Test, ...], int]

ACTIONS = {
    "SCMP_ACT_KILL": KILL_THREAD,
    "SCMP_ACT_KILL_THREAD": KILL_THREAD,
    "SCMP_ACT_KILL_PROCESS": KILL_PROCESS,
    "SCMP_ACT_TRAP": TRAP,
    "SCMP_ACT_ERRNO": ERRNO,
    "SCMP_ACT_TRACE": TRACE,
    "SCMP_ACT_ALLOW": ALLOW,
    "SCMP_ACT_LOG": LOG,
    "SCMP_ACT_NOTIFY": USER_NOTIF,
}
OPERATORS = {
    "SCMP_CMP_NE": "ne",
    "SCMP_CMP_LT": "lt",
    "SCMP_CMP_LE": "le",
    "SCMP_CMP_EQ": "eq",
    "SCMP_CMP_GE": "ge",
    "SCMP_CMP_GT": "gt",
    "SCMP_CMP_MASKED_EQ": "masked_eq",
}
# Of those that a machine of ours may be asked for; x32 and the 32 bits of ARM are not served: what
# is built for them is killed, or told that there is no such call.
ARCHITECTURES = {
    "SCMP_ARCH_X86_64": "x86_64",
    "SCMP_ARCH_X86": "i386",
    "SCMP_ARCH_AARCH64": "aarch64",
}
_WITH_ERRNO = (ERRNO, TRACE)


class ProfileError(Exception):
    """A word in a profile that we do not know."""


def filter_of(profile: dict[str, Any]) -> bytes:
    """`linux.seccomp` as a program for the kernel. Raises ProfileError."""
    default = _action(profile["defaultAction"], profile.get("defaultErrnoRet"))
    machine = os.uname().machine
    if USER_NOTIF in _actions(profile) and not profile.get("listenerPath"):
        raise ProfileError("SCMP_ACT_NOTIFY needs listenerPath")
    asked = [ARCHITECTURES.get(name, "") for name in profile.get("architectures") or ()]
    tables = {name: _table(profile, name) for name in dict.fromkeys([machine, *asked]) if name}
    lenient = default in (ALLOW, LOG)
    try:
        return compile_filter(tables, default, default if lenient else ERRNO | errno.ENOSYS)
    except ValueError as error:
        raise ProfileError(str(error)) from None


def _actions(profile: dict[str, Any]) -> set[int]:
    entries = [profile["defaultAction"], *(e["action"] for e in profile.get("syscalls") or ())]
    return {_action(name, None) for name in entries}


def flags_of(profile: dict[str, Any]) -> int:
    """Flags of seccomp(2) for it. Raises ProfileError."""
    flags = 0
    for name in profile.get("flags") or ():
        flag = FILTER_FLAGS.get(name.removeprefix("SECCOMP_FILTER_FLAG_"))
        if flag is None:
            raise ProfileError(f"unknown flag {name}")
        flags |= flag
    return flags | (NEW_LISTENER if profile.get("listenerPath") else 0)


def _table(profile: dict[str, Any], architecture: str) -> dict[int, Rule]:
    """Number -> rule. A call that is there without conditions is not asked for any."""
    default = _action(profile["defaultAction"], profile.get("defaultErrnoRet"))
    known = numbers(architecture)
    plain: dict[int, int] = {}
    cases: dict[int, list[Case]] = {}
    for entry in profile.get("syscalls") or ():
        action = _action(entry["action"], entry.get("errnoRet"))
        conditions = _conditions(entry.get("args") or ())
        for number in (known[name] for name in entry["names"] if name in known):
            if conditions:
                cases.setdefault(number, []).extend((tests, action) for tests in conditions)
            else:
                plain.setdefault(number, action)
    conditional = {n: Rule(default, tuple(some)) for n, some in cases.items() if n not in plain}
    return conditional | {number: Rule(action) for number, action in plain.items()}


def _conditions(arguments: Sequence[dict[str, Any]]) -> list[tuple[Test, ...]]:
    """All of them have to hold; several on one argument are alternatives, as in runc."""
    tests = tuple(_test(argument) for argument in arguments)
    if len({test.index for test in tests}) < len(tests):
        return [(test,) for test in tests]
    return [tests] if tests else []


def _test(argument: dict[str, Any]) -> Test:
    operator = OPERATORS.get(argument["op"])
    if operator is None:
        raise ProfileError(f"unknown operator {argument['op']}")
    if operator == "masked_eq":  # `value` is the mask
        return Test(argument["index"], operator, argument.get("valueTwo", 0), argument["value"])
    return Test(argument["index"], operator, argument["value"])


def _action(name: str, errno_given: int | None) -> int:
    action = ACTIONS.get(name)
    if action is None:
        raise ProfileError(f"unknown action {name}")
    if action not in _WITH_ERRNO:
        return action
    return action | (errno.EPERM if errno_given is None else errno_given)
