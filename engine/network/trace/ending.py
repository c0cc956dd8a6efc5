"""Where a way ended: who listens there, and what answered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.network.trace.facts import Hop
from engine.network.trace.listening import takes
from engine.network.trace.reasons import drop_hint, why_lost, wrong_routes
from engine.network.trace.route import FoundRoute
from engine.network.trace.verdicts import BARRIER

if TYPE_CHECKING:
    from engine.network.trace.evidence import Evidence
    from engine.network.trace.facts import Outcome, Packet, Stage
    from engine.network.trace.places import Ends

_ANSWERED = {
    "SYN ACK": "accepted: SYN, ACK came back",
    "echo reply": "an echo came back",
    "datagram": "a datagram came back",
}


class Ending:
    """The last hops of a packet that no rule has dropped on its way there."""

    def __init__(self, ends: Ends, evidence: Evidence) -> None:
        self._ends, self._evidence = ends, evidence
        self._begin = "source" if ends.source is not None else "host"
        self._names = f"{ends.source_name} reaches {ends.target_name}"
        port = ends.port
        # by our relay, where the kernel cannot translate
        self._relayed = port is not None and (port.way == "relayed" or evidence.address == "::1")
        self.hops: list[Hop] = []

    def tell(self) -> tuple[Outcome, str]:
        """How it ended, and that in a sentence; `hops` has more of it then."""
        ends, evidence = self._ends, self._evidence
        if any(one.chain == BARRIER and one.drops for one in evidence.verdicts("host")):
            return self._leaving() if ends.is_outside else self._astray()
        answers = evidence.answers(self._begin)
        arrived = evidence.arrived(ends.arrival)
        if not (arrived or answers or self._relayed):
            said, details, hint = why_lost(ends, evidence)
            self._failed("answer", f"none: {said}", hint, *details)
            return "lost", said
        if self._relayed:
            said = "a process of Buoy takes it, and makes a connection of its own to "
            self._passed("relay", said + ends.target_name)
        listens = self._listening()
        if self._relayed and not listens:
            return "refused", f"{ends.target_name} refuses what is relayed to it"
        # before the answers: those to the host itself are seen before its rules have had them
        dropped = next((one for one in evidence.seen.verdicts if one.answer and one.drops), None)
        if dropped is not None:
            said = f"the answer was dropped by {dropped.owner}, {dropped.where}"
            self._failed("answer", f"{said}: {dropped.reason}", drop_hint(ends, evidence, dropped))
            return "dropped", said
        return self._answer(answers[0].packet) if answers else self._silence(listens=listens)

    def _leaving(self) -> tuple[Outcome, str]:
        route, flow = self._evidence.host_route, self._evidence.flow
        by, under = "", flow.source if flow is not None else ""
        if isinstance(route, FoundRoute):
            by = f" by {route.link}"
            if any("masquerade" in one.rule for one in self._evidence.verdicts("host")):
                under = f"{route.source}, the host's address"
        said = f"it leaves this host{by}, as {under}"
        self._passed("link", said, "it was held back there: nothing was sent to others")
        return "leaves", f"{self._ends.source_name} reaches the outside: {said}"

    def _astray(self) -> tuple[Outcome, str]:
        said = "it was about to leave this host, and was held back"
        self._failed("link", said, "", *wrong_routes(self._ends, self._evidence))
        return "lost", said

    def _listening(self) -> bool:
        """Whether the target takes what is sent there, as far as is known."""
        listening, ends = self._evidence.listening, self._ends
        if listening is None or self._evidence.flow is None or self._is_led_elsewhere():
            return True
        port = ends.port.target if ends.port is not None else self._evidence.flow.port
        shown = ", ".join(at_port(one, port) for one in listening)
        if any(takes(one, address) for one in listening for address in self._arrived_at()):
            self._passed("port", f"{ends.target_name} listens on {shown}")
            return True
        if listening:
            hint = "let the program listen on 0.0.0.0 or [::]"
            self._failed("port", f"{ends.target_name} listens on {shown} alone", hint)
        else:
            self._failed("port", f"nobody listens on port {port} in {ends.target_name}")
        return False

    def _is_led_elsewhere(self) -> bool:
        """Whether somebody else's rule has translated what was sent to the host: to whom is not
        known here."""
        rules = (one.rule.lower() for one in self._evidence.verdicts("host"))
        return self._ends.target is None and any("dnat" in rule for rule in rules)

    def _arrived_at(self) -> list[str]:
        """The address that it has come to; a relay takes the one that it finds."""
        if self._relayed:
            return list(self._ends.target_addresses())
        arrived = self._evidence.arrived(self._ends.arrival)
        return [arrived[0].packet.target if arrived else self._evidence.address]

    def _answer(self, packet: Packet) -> tuple[Outcome, str]:
        if packet.what in _ANSWERED:
            self._passed("answer", _ANSWERED[packet.what])
            address = self._evidence.address
            at = f" at {address}" if address != self._ends.target_name else ""
            return "reached", self._names + at
        said = "a reset came back from" if packet.what == "RST" else "unreachable, says"
        self._failed("answer", f"refused: {said} {packet.source}")
        return "refused", f"{self._names}, and is refused there"

    def _silence(self, *, listens: bool) -> tuple[Outcome, str]:
        flow = self._evidence.flow
        if flow is not None and flow.protocol == "udp" and listens:
            self._passed("answer", "none came, and to an empty datagram none need come")
            return "reached", self._names
        said = f"it came to {self._ends.target_name}, and no answer came back"
        self._failed("answer", said)
        return "lost", said

    def _passed(self, stage: Stage, said: str, *details: str) -> None:
        self.hops.append(Hop(stage=stage, state="passed", said=said, details=details))

    def _failed(self, stage: Stage, said: str, hint: str = "", *details: str) -> None:
        self.hops.append(Hop(stage=stage, state="failed", said=said, details=details, hint=hint))


def at_port(address: str, port: int) -> str:
    """`[::1]:80`; the address alone where the protocol has no ports."""
    host = f"[{address}]" if ":" in address and port else address
    return f"{host}:{port}" if port else host
