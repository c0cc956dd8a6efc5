"""The tables of iptables-legacy, which nf_tables does not show. Reading only, IPv4 only.

Source: include/uapi/linux/netfilter_ipv4/ip_tables.h, netfilter/x_tables.h.
"""

from __future__ import annotations

import ctypes
import socket
import struct

from engine.kernel.libc import KernelCallError, libc

_NAMES = "/proc/net/ip_tables_names"
_GET_INFO, _GET_ENTRIES = 64, 65
_INFO = struct.Struct("=32sI5I5III")  # name, valid hooks, where each begins and ends, number, size
_HOOK_FORWARD = 2
_ENTRIES_BYTES = 40  # before the entries: name and size
_IN_INTERFACE, _OUT_INTERFACE = 16, 32  # offsets in an entry, 16 bytes each
_OFFSETS = struct.Struct("=HH")  # where in an entry its target is, and where the next one
_OFFSETS_AT = 88
_VERDICT_AT = 32  # in a standard target
_DROP = -1  # -NF_DROP - 1


class ForwardChain:
    """What becomes of what is forwarded.

    drops        what no rule decides
    interfaces   whose names its rules have
    """

    __slots__ = ("drops", "interfaces")

    def __init__(self, entries: bytes, start: int, end: int) -> None:
        self.interfaces: set[str] = set()
        at = start
        while at < end:
            for place in (_IN_INTERFACE, _OUT_INTERFACE):
                name = entries[at + place : at + place + 16].rstrip(b"\0").decode(errors="replace")
                self.interfaces.add(name)
            at += _OFFSETS.unpack_from(entries, at + _OFFSETS_AT)[1]
        target = end + _OFFSETS.unpack_from(entries, end + _OFFSETS_AT)[0]
        self.drops = struct.unpack_from("=i", entries, target + _VERDICT_AT)[0] == _DROP


def read_forward_chain() -> ForwardChain | None:
    """That of the calling thread's namespace; None where there is no filter table.

    Asking for a table makes it: so it is looked for first.
    """
    try:
        with open(_NAMES, encoding="ascii") as file:
            if "filter" not in file.read().split():
                return None
    except FileNotFoundError:
        return None
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as asked:
        info = _INFO.unpack(_get(asked, _GET_INFO, b"filter", _INFO.size))
        starts, ends, size = info[2:7], info[7:12], info[13]
        head = struct.pack("=32sI", b"filter", size)
        found = _get(asked, _GET_ENTRIES, head, _ENTRIES_BYTES + size)
    entries = found[_ENTRIES_BYTES:]
    return ForwardChain(entries, starts[_HOOK_FORWARD], ends[_HOOK_FORWARD])


def _get(asked: socket.socket, option: int, given: bytes, size: int) -> bytes:
    """getsockopt(2) with a buffer that says what is asked for: not one of Python's."""
    buffer = ctypes.create_string_buffer(given, size)
    length = ctypes.c_uint(size)
    level = socket.IPPROTO_IP
    if libc.getsockopt(asked.fileno(), level, option, buffer, ctypes.byref(length)) < 0:
        raise KernelCallError("getsockopt", level=level, option=option)
    return buffer.raw
