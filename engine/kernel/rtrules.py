"""Routes for what comes from one address: a table of their own, and a rule that leads there.

Source: include/uapi/linux/fib_rules.h.
"""

from __future__ import annotations

import socket
import struct

from engine.kernel.netlink import NLM_F_CREATE, NLM_F_EXCL, attribute
from engine.kernel.rtnetlink import default_route, default_route_removal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from engine.kernel.netlink import Message

RTM_NEWRULE, RTM_DELRULE = 32, 33
FRA_SRC, FRA_PRIORITY, FRA_TABLE = 2, 6, 15
FR_ACT_TO_TBL = 1
PRIORITY = 1000  # after the table of local addresses, before the main one

_RULE = struct.Struct("=BBBBBBBBI")


def source_route(address: str, gateway: str, index: int, table: int) -> list[Message]:
    """What is sent from `address` leaves by a gateway on a link, whatever the default route."""
    rule = RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, _rule(address, table)
    return [default_route(gateway, index, table), rule]


def source_route_removal(address: str, gateway: str, index: int, table: int) -> list[Message]:
    """Delete both; ENOENT and ESRCH when they are not there."""
    rule = RTM_DELRULE, 0, _rule(address, table)
    return [rule, default_route_removal(gateway, index, table)]


def _rule(address: str, table: int) -> bytes:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    packed = socket.inet_pton(family, address)
    body = _RULE.pack(family, 0, len(packed) * 8, 0, 0, 0, 0, FR_ACT_TO_TBL, 0)
    body += attribute(FRA_SRC, packed) + attribute(FRA_TABLE, struct.pack("=I", table))
    return body + attribute(FRA_PRIORITY, struct.pack("=I", PRIORITY))
