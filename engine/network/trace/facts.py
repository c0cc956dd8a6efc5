"""What is asked of a trace, what was seen, and what it comes to: plain data."""

from __future__ import annotations

import socket

from engine.kernel.nftexpressions import IPV4, IPV6
from engine.kernel.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

    from engine.kernel.nftexpressions import Header
    from engine.network.topology.facts import SeenPort

    Protocol = Literal["tcp", "udp", "icmp"]
    Stage = Literal["name", "route", "link", "bridge", "rules", "relay", "port", "answer"]
    State = Literal["passed", "failed", "unknown"]
    Outcome = Literal["reached", "leaves", "refused", "dropped", "lost", "no-route", "untold"]


class Question(Record):
    """What is to be traced.

    source, target   id of a container, or HOST; of the target OUTSIDE, too
    name             what the target was called: looked up where the source looks names up
    address          of the target where that was given; "": to be found
    port             0 where the protocol has none
    version          4 or 6 where only that will do; None: what is found
    """

    source: str
    target: str
    protocol: Protocol
    name: str = ""
    address: str = ""
    port: int = 0
    version: int | None = None


class Flow(Record):
    """A packet as it is sent; of ICMP `source_port` is the id."""

    protocol: Protocol
    source: str
    target: str
    source_port: int
    port: int

    @property
    def header(self) -> Header:
        """Of its IP version."""
        return IPV6 if ":" in self.target else IPV4

    @property
    def family(self) -> int:
        """Of its addresses, for sockets."""
        return socket.AF_INET6 if ":" in self.target else socket.AF_INET

    @property
    def number(self) -> int:
        """Of its protocol."""
        if self.protocol == "icmp":
            return socket.IPPROTO_ICMPV6 if ":" in self.target else socket.IPPROTO_ICMP
        return {"tcp": socket.IPPROTO_TCP, "udp": socket.IPPROTO_UDP}[self.protocol]


class Packet(Record):
    """A packet as it was seen; `what` in short: SYN, SYN ACK, RST, datagram, echo, ..."""

    source: str
    target: str
    source_port: int
    port: int
    what: str


class Sighting(Record):
    """A packet that came by on a link: in a namespace (`source`, `host`, `target`)."""

    place: str
    link: str
    outgoing: bool
    packet: Packet


class Verdict(Record):
    """What a rule, or the policy of a chain, has said of the packet.

    family, table, chain   as nft writes them: `ip filter FORWARD`
    owner      whose table that is, in words
    said       accept, drop, jump CHAIN, ...
    rule       what it matches, as nft would write it; "": the policy of the chain
    comment    what its author says of it
    answer     the packet was an answer
    """

    place: str
    family: str
    table: str
    chain: str
    owner: str
    said: str
    rule: str = ""
    comment: str = ""
    answer: bool = False

    @property
    def where(self) -> str:
        """`ip filter FORWARD`."""
        return f"{self.family} {self.table} {self.chain}"

    @property
    def reason(self) -> str:
        """Why it said so."""
        return f"“{self.comment}”" if self.comment else self.rule or "its policy"

    @property
    def drops(self) -> bool:
        """Whether that was the end."""
        return self.said == "drop"


class Hop(Record):
    """One step of the way, in words; what else is known of it, and what to change."""

    stage: Stage
    state: State
    said: str
    details: tuple[str, ...] = ()
    hint: str = ""


class Trace(Record):
    """The way, and where it ended.

    sent_port   that the packet is sent to; port: the published one that this is
    obstacles   what may keep others from that, in plain words
    """

    source: str
    target: str
    protocol: Protocol
    sent_port: int
    flow: Flow | None
    port: SeenPort | None
    obstacles: tuple[str, ...]
    hops: tuple[Hop, ...]
    outcome: Outcome
    summary: str
