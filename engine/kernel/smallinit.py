"""The program of process 1 in a container with `init: true`: reaps, forwards signals, ends with
its child.

A hundred instructions of its own, because the alternatives cost more: an interpreter that stays
there has 3 MB for itself, this has 12 kB; and what the host has installed (tini, catatonit) would
make containers differ from host to host. The sources are tests/engine/kernel/init.*.s.
"""

from __future__ import annotations

import fcntl
import os
import struct

# ELF machine and, as `objcopy -O binary` leaves it, the code up to `child`
_PROGRAMS = {
    "x86_64": (
        62,
        "b89d000000bf0400000031f60f05b89d000000bf0f000000488d35910000000f058b2d790000006a00b88000"
        "0000488d3d7300000031f631d241ba080000000f0583f811741185c07edf89c689efb83e0000000f05ebd2b8"
        "3d0000004883cfff4889e6ba010000004531d20f0539e8740685c07fe2ebb28b3c2489f883e07f74088db880"
        "000000eb09c1ef0881e7ff000000b8e70000000f050f1f8000000000",
    ),
    "aarch64": (
        183,
        "e81480d2800080d2010080d2010000d4e81480d2e00180d241050010010000d493040018ff4300d1281180d2"
        "60040010010080d2020080d2030180d2010000d41f440071000100541f000071edfeff54e103002ae003132a"
        "281080d2010000d4f2ffff17882080d200008092e1030091220080d2030080d2010000d41f00136b80000054"
        "1f000071ecfeff54e7ffff17e00340b901180072600000542000021102000014003c0853c80b80d2010000d4",
    ),
}
_NAME = b"buoy-init\0"
_DATA = struct.Struct("<qQ10s")  # child, set of signals, name
_HEADER = struct.Struct("<16s2HI3QI6H")  # Elf64_Ehdr
_SEGMENT = struct.Struct("<2I6Q")  # Elf64_Phdr
_IDENTITY = b"\x7fELF\x02\x01\x01".ljust(16, b"\0")
_ET_EXEC, _PT_LOAD, _PT_GNU_STACK = 2, 1, 0x6474E551
_READ, _WRITE, _EXECUTE = 4, 2, 1
_BASE, _PAGE = 0x400000, 0x10000  # the largest page there is

_MFD_EXEC = 0x10  # include/uapi/linux/memfd.h
_SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE


def program(machine: str, child: int) -> bytes | None:
    """The ELF file for a machine (as uname has it) that waits for the process `child`; None where
    there is none."""
    if machine not in _PROGRAMS:
        return None
    number, code = _PROGRAMS[machine]
    start = _HEADER.size + 2 * _SEGMENT.size
    body = bytes.fromhex(code) + _DATA.pack(child, (1 << 64) - 1, _NAME)
    header = _HEADER.pack(
        *(_IDENTITY, _ET_EXEC, number, 1, _BASE + start, _HEADER.size, 0, 0),
        *(_HEADER.size, _SEGMENT.size, 2, 0, 0, 0),
    )
    length = start + len(body)
    load = (_PT_LOAD, _READ | _EXECUTE, 0, _BASE, _BASE, length, length, _PAGE)
    stack = (_PT_GNU_STACK, _READ | _WRITE, 0, 0, 0, 0, 0, 16)
    return header + _SEGMENT.pack(*load) + _SEGMENT.pack(*stack) + body


def become(child: int, argv: list[str]) -> None:
    """Go on as that program, all signals blocked by now. Returns where it cannot be executed.

    Nothing of the process is kept but its credentials, its filter and its child.
    """
    image = program(os.uname().machine, child)
    if image is None:
        return
    try:
        os.execve(_sealed(image), argv, {})
    except OSError:  # no such call, or a filter that does not know it
        return


def _sealed(image: bytes) -> int:
    """A file in memory that nobody can write to any more (a container could, through
    /proc/1/exe)."""
    flags = os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING
    try:
        fd = os.memfd_create("buoy-init", flags | _MFD_EXEC)
    except OSError:  # before Linux 6.3
        fd = os.memfd_create("buoy-init", flags)
    os.write(fd, image)
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, _SEALS)
    return fd
