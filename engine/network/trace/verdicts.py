"""What the rules of a namespace say of a flow, by the kernel's own trace of it.

For that a table of ours marks the packets of exactly that flow, before any other rule. It is
owned by our socket: however this ends, the kernel takes it away.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
from typing import TYPE_CHECKING

from engine.kernel import nftexpressions as nft
from engine.kernel.namespaces import socket_in
from engine.kernel.netlink import (
    NETLINK_NETFILTER,
    SOL_NETLINK,
    parse_attributes,
    split_messages,
)
from engine.kernel.nftables import (
    FAMILY_NAMES,
    NFNL_SUBSYS_NFTABLES,
    NFPROTO_BRIDGE,
    NFPROTO_INET,
    NftSocket,
)
from engine.kernel.nftbatch import (
    HOOK_OUTPUT,
    HOOK_POSTROUTING,
    HOOK_PREROUTING,
    TYPE_INTERFACE,
    Batch,
)
from engine.network.trace.facts import Verdict
from engine.network.trace.owners import owner_of
from engine.network.trace.packets import ECHO_REQUESTS, SYN
from engine.network.trace.rulewords import rule_text, verdict_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from engine.kernel.nftables import Chain, Rule
    from engine.network.trace.facts import Flow

FAMILIES = {**FAMILY_NAMES, NFPROTO_BRIDGE: "bridge"}
BARRIER = "barrier"
_INNER = "inner"

_NFT_TRACE = NFNL_SUBSYS_NFTABLES << 8 | 17
_ADD_MEMBERSHIP, _NO_ENOBUFS, _GROUP_NFTRACE = 1, 5, 9
_TABLE, _CHAIN, _HANDLE, _KIND, _VERDICT = 1, 2, 3, 4, 5
_ID, _NETWORK, _TRANSPORT, _POLICY = 6, 8, 9, 16
_BY_POLICY = 1
_AT_ONCE = 1000
_FLAGS_AT = 13  # in the header of TCP
_ETH_P_IP, _ETH_P_IPV6 = 0x0800, 0x86DD
_FIRST, _TRACKED, _LAST = -450, -150, 2**31 - 2  # before all; known to conntrack; before it is sent


class Verdicts:
    """The trace of a flow in one namespace.

    inner   the links that it may leave the namespace by: at others the last rule of all drops it;
            None: by any
    """

    def __init__(
        self,
        place: str,
        netns_fd: int,
        flow: Flow,
        own_table: str,
        inner: Sequence[str] | None = None,
    ) -> None:
        self._place, self._flow, self._own_table = place, flow, own_table
        self._table = f"{own_table}-trace-{os.getpid()}"
        self._rules: dict[tuple[int, str, str], list[Rule]] = {}
        self._packets: dict[bytes, str | None] = {}  # what they are, by the number of the trace
        with contextlib.ExitStack() as opened:
            self._listening = opened.enter_context(_netfilter(netns_fd))
            self._netlink = opened.enter_context(NftSocket(_netfilter(netns_fd)))
            _listen(self._listening)
            self._chains: list[Chain] = self._netlink.chains(tuple(FAMILIES))
            self._netlink.commit(*self._batches(inner))
            self._opened = opened.pop_all()

    def fileno(self) -> int:
        """To wait for."""
        return self._listening.fileno()

    def close(self) -> None:
        """The table goes with its socket."""
        self._opened.close()

    def read(self) -> Iterator[Verdict]:
        """What has been said since it was last asked, as far as it is read in one go; of our own
        table only the barrier's."""
        for _ in range(_AT_ONCE):
            try:
                data = self._listening.recv(1 << 16)
            except BlockingIOError:
                return
            for kind, _, _, body in split_messages(data):
                if kind == _NFT_TRACE:
                    yield from self._verdict(body)

    def _batches(self, inner: Sequence[str] | None) -> Iterator[Batch]:
        families = {chain.family for chain in self._chains}
        if families - {NFPROTO_BRIDGE} or inner is not None:
            yield self._batch(inner)
        if NFPROTO_BRIDGE in families:
            yield self._bridge_batch()

    def _batch(self, inner: Sequence[str] | None) -> Batch:
        batch = Batch(self._table, NFPROTO_INET)
        batch.add_table(owned=True)
        flow = _of_version(self._flow) + _matched(self._flow)
        back = _matched_answers(self._flow)
        for name, hook, priority, matched in (
            ("first", HOOK_PREROUTING, _FIRST, flow),
            ("first-own", HOOK_OUTPUT, _FIRST, flow),
            ("answers", HOOK_PREROUTING, _TRACKED, back),
            ("answers-own", HOOK_OUTPUT, _TRACKED, back),
        ):
            batch.add_chain(name, "filter", hook, priority)
            batch.add_rule(name, matched + nft.trace())
        if inner is not None:
            batch.add_set(_INNER, [TYPE_INTERFACE])
            batch.add_elements(_INNER, ((nft.interface_name(link), b"", "") for link in inner))
            batch.add_chain(BARRIER, "filter", HOOK_POSTROUTING, _LAST)
            outward = nft.oif_in(_INNER, absent=True)
            for matched in (flow, _matched_connection(self._flow)):
                batch.add_rule(BARRIER, outward + matched + nft.DROP)
        return batch

    def _bridge_batch(self) -> Batch:
        """For the rules of bridges, which the same packets meet first."""
        batch = Batch(self._table, NFPROTO_BRIDGE)
        batch.add_table(owned=True)
        for name, hook in (("first", HOOK_PREROUTING), ("first-own", HOOK_OUTPUT)):
            batch.add_chain(name, "filter", hook, _FIRST)
            batch.add_rule(name, _of_ethertype(self._flow) + _matched(self._flow) + nft.trace())
        return batch

    def _verdict(self, body: bytes) -> Iterator[Verdict]:
        given = parse_attributes(body, 4)
        number = given.get(_ID, b"")
        if _TRANSPORT in given:  # with the first of each base chain
            headers = given.get(_NETWORK, b""), given[_TRANSPORT]
            self._packets[number] = _kind_of(self._flow, *headers)
        kind = self._packets.get(number)
        if kind is None:  # somebody else traces, too
            return
        table, chain = _text(given.get(_TABLE, b"")), _text(given.get(_CHAIN, b""))
        if table == self._table and chain != BARRIER:
            return
        rule = self._rule(body[0], table, chain, given.get(_HANDLE, b""))
        names = [one.name for one in self._chains if one.table == table and one.family == body[0]]
        yield Verdict(
            place=self._place,
            family=FAMILIES.get(body[0], str(body[0])),
            table=table,
            chain=chain,
            owner=owner_of(table, names, self._own_table),
            said=_said(given),
            rule=rule_text(rule.expressions) if rule else "",
            comment=rule.comment if rule else "",
            answer=kind == "answer",
        )

    def _rule(self, family: int, table: str, chain: str, handle: bytes) -> Rule | None:
        if not handle:  # the policy of the chain
            return None
        key = (family, table, chain)
        if key not in self._rules:
            self._rules[key] = self._netlink.rules(table, chain, family)
        return next((rule for rule in self._rules[key] if rule.handle == handle), None)


def _kind_of(flow: Flow, network: bytes, transport: bytes) -> str | None:
    """Whether a packet, by its headers, is the one that was `sent` or an `answer`; else None."""
    place = 6 if network[0] >> 4 == 6 else 9
    if len(network) <= place or network[place] != flow.number:
        return None
    own = struct.pack(">H", flow.source_port)
    if flow.protocol == "icmp":
        if transport[4:6] != own:
            return None
        return "sent" if transport[0] in ECHO_REQUESTS else "answer"
    if transport[:2] == own:
        return "sent"
    return "answer" if transport[2:4] == own else None


def _said(given: dict[int, bytes]) -> str:
    """By a rule, or by the policy of a chain; "": nothing."""
    if int.from_bytes(given.get(_KIND, b""), "big") == _BY_POLICY:
        return "accept" if int.from_bytes(given.get(_POLICY, b""), "big") else "drop"
    return verdict_text(given[_VERDICT]) if _VERDICT in given else ""


def _text(data: bytes) -> str:
    return data.rstrip(b"\0").decode(errors="replace")


def _netfilter(netns_fd: int) -> socket.socket:
    return socket_in(netns_fd, socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)


def _listen(opened: socket.socket) -> None:
    opened.bind((0, 0))
    opened.setsockopt(SOL_NETLINK, _NO_ENOBUFS, 1)  # others may trace a lot
    opened.setsockopt(SOL_NETLINK, _ADD_MEMBERSHIP, _GROUP_NFTRACE)
    opened.setblocking(False)


def _matched(flow: Flow) -> bytes:
    """Packets of it as they are sent: addresses, protocol, and port or id of the sender; of TCP
    the SYN alone, not the reset that follows."""
    offset = 4 if flow.protocol == "icmp" else 0
    number = struct.pack(">H", flow.source_port)
    first = nft.load_payload(nft.TRANSPORT_HEADER, _FLAGS_AT, 1) + nft.compare(bytes([SYN]))
    return (
        _of_protocol(flow)
        + nft.load_source(flow.header)
        + nft.compare(_packed(flow, flow.source))
        + nft.load_destination(flow.header)
        + nft.compare(_packed(flow, flow.target))
        + nft.load_payload(nft.TRANSPORT_HEADER, offset, 2)
        + nft.compare(number)
        + (first if flow.protocol == "tcp" else b"")
    )


def _matched_connection(flow: Flow) -> bytes:
    """Packets of its connection in either direction, as they are now."""
    return (
        _of_version(flow)
        + _of_protocol(flow)
        + nft.load_original(nft.CT_SRC[flow.header.family])
        + nft.compare(_packed(flow, flow.source))
        + nft.load_original(nft.CT_PROTO_SRC)
        + nft.compare(struct.pack(">H", flow.source_port))
    )


def _matched_answers(flow: Flow) -> bytes:
    return nft.load_ct(nft.CT_DIRECTION) + nft.compare(b"\1") + _matched_connection(flow)


def _of_version(flow: Flow) -> bytes:
    return nft.load_meta(nft.META_NFPROTO) + nft.compare(bytes([flow.header.family]))


def _of_ethertype(flow: Flow) -> bytes:
    """The IP version where all of Ethernet comes by."""
    ethertype = _ETH_P_IPV6 if flow.header is nft.IPV6 else _ETH_P_IP
    return nft.load_meta(nft.META_PROTOCOL) + nft.compare(struct.pack(">H", ethertype))


def _of_protocol(flow: Flow) -> bytes:
    return nft.load_meta(nft.META_L4PROTO) + nft.compare(bytes([flow.number]))


def _packed(flow: Flow, address: str) -> bytes:
    return socket.inet_pton(flow.family, address)
