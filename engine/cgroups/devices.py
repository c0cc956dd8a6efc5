"""Which devices may be opened: the v1 devices controller, or a BPF program on v2."""

from __future__ import annotations

import ctypes
import os
import struct

from engine.cgroups.hierarchy import V2, Hierarchies, write_value
from engine.kernel.libc import KernelCallError, libc

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_NR_BPF = {"x86_64": 321, "aarch64": 280, "riscv64": 280, "s390x": 351, "ppc64le": 361}
_BPF_PROG_LOAD, _BPF_PROG_ATTACH = 5, 8
_BPF_PROG_TYPE_CGROUP_DEVICE, _BPF_CGROUP_DEVICE = 15, 6
_BPF_F_ALLOW_MULTI = 2
_ACCESS = {"m": 1, "r": 2, "w": 4}
_TYPE = {"b": 1, "c": 2}
_ALL = sum(_ACCESS.values())
_NUMBERS = ("major", "minor")


def limit(
    hierarchies: Hierarchies, directories: dict[str, str], rules: list[dict[str, Any]]
) -> None:
    """Apply `linux.resources.devices` of the OCI runtime specification: the last rule that is
    about a device counts. On v1 as far as the kernel knows it: a rule takes back an earlier one
    of the same numbers, not a part of a wider one."""
    if "devices" in hierarchies.v1:
        for rule in (one for given in rules for one in _v1_rules(given)):
            name = "devices.allow" if rule["allow"] else "devices.deny"
            write_value(directories["devices"], name, _v1_line(rule))
    elif V2 in directories:
        _attach(directories[V2], program(rules))


def _v1_rules(rule: dict[str, Any]) -> list[dict[str, Any]]:
    """For v1 `a` is all devices, whatever numbers come with it."""
    kind, major, minor = _about(rule)
    if kind != "a" or (major, minor) == (None, None):
        return [rule]
    return [{**rule, "type": one} for one in "bc"]


def _v1_line(rule: dict[str, Any]) -> str:
    kind, major, minor = _about(rule)
    shown = ("*" if number is None else str(number) for number in (major, minor))
    return f"{kind} {':'.join(shown)} {rule.get('access') or 'rwm'}"


def _about(rule: dict[str, Any]) -> tuple[str, int | None, int | None]:
    """Type, major and minor number; None for any, which some write as -1."""
    major, minor = (None if rule.get(key) in (None, -1) else rule[key] for key in _NUMBERS)
    return rule.get("type") or "a", major, minor


def program(rules: list[dict[str, Any]]) -> bytes:
    """eBPF for `rules`; a device that no rule names is refused.

    The context is three 32-bit words: access << 16 | type, major, minor.
    Source: struct bpf_cgroup_dev_ctx, include/uapi/linux/bpf.h.
    """
    code = [
        _insn(0x61, 2, 1, 0, 0),  # r2 = type and access
        _insn(0xBF, 3, 2, 0, 0),  # r3 = r2
        _insn(0x77, 3, 0, 0, 16),  # r3 >>= 16: access
        _insn(0x57, 2, 0, 0, 0xFFFF),  # r2 &= 0xffff: type
        _insn(0x61, 4, 1, 4, 0),  # r4 = major
        _insn(0x61, 5, 1, 8, 0),  # r5 = minor
    ]
    for rule in reversed(rules):
        kind, major, minor = _about(rule)
        code += _rule(rule)
        if (kind, major, minor) == ("a", None, None) and _access(rule) == _ALL:
            return b"".join(code)  # the verifier refuses what can never be reached
    code += [_insn(0xB7, 0, 0, 0, 0), _insn(0x95, 0, 0, 0, 0)]  # return 0
    return b"".join(code)


def _rule(rule: dict[str, Any]) -> list[bytes]:
    """Return 1 (allow: all that is asked for) or 0 (deny: some of it), or fall through."""
    kind, major, minor = _about(rule)
    tests: list[tuple[int, int]] = []  # register must equal value
    if kind != "a":
        tests.append((2, _TYPE[kind]))
    if major is not None:
        tests.append((4, major))
    if minor is not None:
        tests.append((5, minor))
    tail = [_insn(0xB7, 0, 0, 0, int(rule["allow"])), _insn(0x95, 0, 0, 0, 0)]
    access = _access(rule)
    if access != _ALL:  # r6: what is asked for beyond an allowance, or what of it is denied
        mask, unless = (_ALL & ~access, 0x55) if rule["allow"] else (access, 0x15)
        tail = [
            _insn(0xBF, 6, 3, 0, 0),
            _insn(0x57, 6, 0, 0, mask),
            _insn(unless, 6, 0, 2, 0),
            *tail,
        ]
    code: list[bytes] = []
    for position, (register, value) in enumerate(tests):
        behind = len(tests) - position - 1 + len(tail)
        code.append(_insn(0x55, register, 0, behind, value))
    return code + tail


def _access(rule: dict[str, Any]) -> int:
    return sum(_ACCESS[letter] for letter in set(rule.get("access") or "rwm"))


def _insn(code: int, destination: int, source: int, offset: int, immediate: int) -> bytes:
    return struct.pack("=BBhi", code, source << 4 | destination, offset, immediate)


def _attach(directory: str, instructions: bytes) -> None:
    """Load the program and attach it to the group; the kernel drops it with the directory."""
    program_fd = _load(instructions)
    directory_fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        attributes = struct.pack(
            "=IIII", directory_fd, program_fd, _BPF_CGROUP_DEVICE, _BPF_F_ALLOW_MULTI
        )
        _bpf(_BPF_PROG_ATTACH, attributes)
    finally:
        os.close(directory_fd)
        os.close(program_fd)


def _load(instructions: bytes) -> int:
    code = ctypes.create_string_buffer(instructions, len(instructions))
    licence = ctypes.create_string_buffer(b"Apache")
    attributes = struct.pack(
        "=IIQQIIQ",
        _BPF_PROG_TYPE_CGROUP_DEVICE,
        len(instructions) // 8,
        ctypes.addressof(code),
        ctypes.addressof(licence),
        0,
        0,
        0,
    )
    return _bpf(_BPF_PROG_LOAD, attributes)


def _bpf(command: int, attributes: bytes) -> int:
    buffer = ctypes.create_string_buffer(attributes, len(attributes))
    number = ctypes.c_long(_NR_BPF[os.uname().machine])
    result = libc.syscall(
        number, ctypes.c_long(command), ctypes.byref(buffer), ctypes.c_long(len(attributes))
    )
    if result < 0:
        raise KernelCallError("bpf", command=command)
    return int(result)
