"""All that was found out of a way, before words are made of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.kernel.record import Record
from engine.network.trace.watch import Seen, is_answer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.network.trace.facts import Flow, Sighting, Verdict
    from engine.network.trace.route import FoundRoute

_SENT = ("SYN", "datagram", "echo")


class Evidence(Record):
    """What was seen.

    asked         the addresses that the name has where it was looked up; None: it was not
    lookup_error  nobody answered there
    address       that the packet was sent to; "": there is none
    behind        where a published port leads to; else the same
    route         of the source to `address`
    host_route    of the host to `behind`; back_route: to the source
    flow          the packet; None: none was sent
    obstacles     what may keep others from the published port, in plain words
    listening     addresses that sockets of the target listen on at the port; None: not looked at
    """

    asked: tuple[str, ...] | None = None
    lookup_error: str = ""
    address: str = ""
    behind: str = ""
    route: FoundRoute | OSError | None = None
    host_route: FoundRoute | OSError | None = None
    back_route: FoundRoute | OSError | None = None
    flow: Flow | None = None
    obstacles: tuple[str, ...] = ()
    listening: tuple[str, ...] | None = None
    seen: Seen = Seen()

    def sent(self, place: str, link: str = "") -> list[Sighting]:
        """Where the packet came by, in a place, on one link or any."""
        return [
            one
            for one in self.seen.sightings
            if one.place == place
            and link in ("", one.link)
            and one.packet.what in _SENT
            and not self._is_answer(one)
        ]

    def arrived(self, place: str) -> list[Sighting]:
        """Where it came into a place."""
        return [one for one in self.sent(place) if not one.outgoing]

    def answers(self, place: str) -> list[Sighting]:
        """What came back, as far as to a place."""
        return [one for one in self.seen.sightings if one.place == place and self._is_answer(one)]

    def verdicts(self, place: str, *, answer: bool = False) -> Iterator[Verdict]:
        """What rules said of the packet there, or of its answer."""
        return (one for one in self.seen.verdicts if (one.place, one.answer) == (place, answer))

    def _is_answer(self, sighting: Sighting) -> bool:
        return self.flow is not None and is_answer(sighting.packet, self.flow)
