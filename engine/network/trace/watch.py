"""A packet is sent, and watched in every namespace on its way."""

from __future__ import annotations

import select
import time
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

from engine.kernel.record import Record
from engine.network.trace.capture import Capture
from engine.network.trace.verdicts import Verdicts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from engine.network.trace.facts import Flow, Packet, Sighting, Verdict
    from engine.network.trace.packets import Sender

_PATIENCE_S = 1.5  # for an answer; a link's address is looked for meanwhile
_SETTLING_S = 0.05  # for what is told after the answer has come
_REFUSAL_S = 0.2  # for an error to come back, where nothing need come
_ANSWERS = ("SYN ACK", "RST", "echo reply", "unreachable", "datagram")


class Seen(Record):
    """What came by, in the order of each place; `error`: the kernel would not send it."""

    sightings: tuple[Sighting, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    error: OSError | None = None


def watch(sender: Sender, places: Mapping[str, int], own_table: str, inner: Sequence[str]) -> Seen:
    """Send a packet, and see what becomes of it and of what answers.

    places   descriptors of network namespaces by their names; the packet begins in the first
    inner    the links of the host that it may go by
    """
    with ExitStack() as stack:
        flow = sender.flow
        captures = [
            stack.enter_context(closing(Capture(place, fd, flow))) for place, fd in places.items()
        ]
        verdicts = [
            stack.enter_context(
                closing(Verdicts(place, fd, flow, own_table, inner if place == "host" else None))
            )
            for place, fd in places.items()
        ]
        watching = _Watching(flow, captures, verdicts, first=next(iter(places)))
        error = sender.send()
        watching.until_settled(_SETTLING_S if error else _PATIENCE_S)
        return Seen(
            sightings=tuple(watching.sightings), verdicts=tuple(watching.verdicts), error=error
        )


def is_answer(packet: Packet, flow: Flow) -> bool:
    """Whether a packet answers that of a flow: with the reset of ours it goes the other way."""
    return packet.what in _ANSWERS and packet.port == flow.source_port


class _Watching:
    def __init__(
        self, flow: Flow, captures: list[Capture], verdicts: list[Verdicts], *, first: str
    ) -> None:
        self._flow, self._captures, self._verdicts, self._first = flow, captures, verdicts, first
        self.sightings: list[Sighting] = []
        self.verdicts: list[Verdict] = []
        self._until_s = 0.0

    def until_settled(self, patience_s: float) -> None:
        """Until an answer or an end has been seen and nothing follows, or patience is at its
        end."""
        poll = select.poll()
        for capture in self._captures:
            poll.register(capture.fileno(), select.POLLIN)
        for verdicts in self._verdicts:
            poll.register(verdicts.fileno(), select.POLLIN)
        self._until_s = time.monotonic() + patience_s
        while (left_s := self._until_s - time.monotonic()) > 0:
            if poll.poll(left_s * 1000):
                self._read()
        self._read()  # what has come while we stood still

    def _read(self) -> None:
        for capture in self._captures:
            for sighting in capture.sightings():
                self.sightings.append(sighting)
                self._settle_after(sighting)
        for verdicts in self._verdicts:
            for verdict in verdicts.read():
                self.verdicts.append(verdict)
                if verdict.drops:
                    self._settle(_SETTLING_S)

    def _settle_after(self, sighting: Sighting) -> None:
        packet = sighting.packet
        if sighting.place == self._first and is_answer(packet, self._flow):
            self._settle(_SETTLING_S)
        elif sighting.place == "target" and packet.what == "datagram":
            self._settle(_REFUSAL_S)

    def _settle(self, after_s: float) -> None:
        self._until_s = min(self._until_s, time.monotonic() + after_s)
