"""From evidence to hops in words, and where the way ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.network.trace.ending import Ending, at_port
from engine.network.trace.facts import Hop, Trace
from engine.network.trace.lookup import SERVER
from engine.network.trace.owners import ANOTHER_ROOT, BUOY
from engine.network.trace.reasons import drop_hint, why_unrouted
from engine.network.trace.route import FoundRoute
from engine.network.trace.verdicts import BARRIER

if TYPE_CHECKING:
    from engine.network.topology.facts import SeenEndpoint
    from engine.network.trace.evidence import Evidence
    from engine.network.trace.facts import Outcome, Stage, State, Verdict
    from engine.network.trace.places import Ends


def tell(ends: Ends, evidence: Evidence) -> Trace:
    """The whole story."""
    return _Story(ends, evidence).trace()


class _Story:
    def __init__(self, ends: Ends, evidence: Evidence) -> None:
        self._ends, self._evidence = ends, evidence
        self._hops: list[Hop] = []
        self._begin = "source" if ends.source is not None else "host"

    def trace(self) -> Trace:
        outcome, summary = self._walk()
        return Trace(
            source=self._ends.source_name,
            target=self._ends.target_name,
            flow=self._evidence.flow,
            protocol=self._ends.question.protocol,
            sent_port=self._ends.question.port,
            port=self._ends.port,
            obstacles=self._evidence.obstacles,
            hops=tuple(self._hops),
            outcome=outcome,
            summary=summary,
        )

    def _walk(self) -> tuple[Outcome, str]:
        ends, evidence = self._ends, self._evidence
        self._tell_name()
        if not evidence.address:
            said = f"{ends.target_name} has no address that {ends.source_name} could use"
            return "no-route", said
        if not self._tell_route():
            return "no-route", f"{ends.source_name} has no way to {evidence.address}"
        if evidence.flow is None:
            return self._tell_unsent()
        if ends.is_one_place:
            dropped = self._tell_rules_of(self._begin, f"in {ends.source_name}")
        else:
            dropped = self._tell_rules_of("source", f"in {ends.source_name}")
            dropped = dropped or self._tell_passage()
        if dropped is not None:
            return "dropped", f"dropped by {dropped.owner}: {dropped.where}"
        ending = Ending(ends, evidence)
        outcome, summary = ending.tell()
        self._hops += ending.hops
        return outcome, summary

    def _tell_unsent(self) -> tuple[Outcome, str]:
        said = "it would leave this host past its rules, and cannot be held back there"
        self._add("link", "unknown", f"by {_link(self._evidence.route)} {said}")
        return "untold", "nothing was sent"

    def _add(self, stage: Stage, state: State, said: str, *details: str, hint: str = "") -> None:
        self._hops.append(Hop(stage=stage, state=state, said=said, details=details, hint=hint))

    def _tell_name(self) -> None:
        ends, evidence = self._ends, self._evidence
        asked = f"{SERVER} of {ends.source_name}" if ends.source is not None else "the host"
        name = ends.question.name
        if evidence.asked:
            self._add("name", "passed", f"{name} is {', '.join(evidence.asked)}, says {asked}")
        elif evidence.asked is not None:
            apart = ends.target is not None and not ends.shared()
            hint = "names are those of a network: put both on one" if apart else ""
            self._add("name", "failed", f"{asked} knows no {name}", hint=hint)
        elif evidence.lookup_error:
            said = f"nobody answers at {asked}: names are those of its /etc/hosts"
            self._add("name", "unknown", said, evidence.lookup_error)

    def _tell_route(self) -> bool:
        route, name = self._evidence.route, self._ends.source_name
        if not isinstance(route, FoundRoute) or not route.is_usable:
            said, hint = why_unrouted(self._ends, self._evidence)
            self._add("route", "failed", said, hint=hint)
            return False
        to = f"to the gateway {route.gateway}" if route.gateway else "directly"
        way = "within itself" if route.kind == "local" else f"by {route.link}, {to}"
        said = f"{name} sends to {self._evidence.address} {way}, from {route.source or 'there'}"
        self._add("route", "passed", said)
        return True

    def _tell_passage(self) -> Verdict | None:
        """Links, bridges and rules between the two namespaces; the rule that ended it."""
        ends = self._ends
        if ends.source is not None:
            self._tell_first_link()
        dropped = self._tell_rules_of("host", "of the host")
        if dropped is not None or ends.target is None:
            return dropped
        self._tell_last_link()
        return self._tell_rules_of("target", f"in {ends.target_name}")

    def _tell_first_link(self) -> None:
        ends, route = self._ends, self._evidence.route
        assert ends.source is not None
        endpoint = next((e for e in ends.source.endpoints if e.interface == _link(route)), None)
        if endpoint is None:
            return
        left = self._evidence.sent("source", endpoint.interface)
        came = self._evidence.sent("host", endpoint.link) if endpoint.link else left
        pair, device = _pair(endpoint), ends.networks[endpoint.network].device
        if came:
            passes = "to the host" if self._is_routed() else "on"
            self._add("link", "passed", f"{pair}: it left {ends.source_name}")
            bridge = f"{device} ({endpoint.network})"
            if endpoint.state == "unplugged":
                said = f"{endpoint.link} is no port of {bridge}"
                self._add("bridge", "failed", said, hint=_state_hint(endpoint))
            elif endpoint.link:
                self._add("bridge", "passed", f"{bridge} passes it {passes}")
        elif left:
            said = f"{pair}: it left {ends.source_name} and did not come out"
            self._add("link", "failed", said, hint=_state_hint(endpoint))
        else:
            said = f"{pair}: it did not leave {ends.source_name}"
            self._add("link", "failed", said, hint=_state_hint(endpoint))

    def _tell_rules_of(self, place: str, where: str) -> Verdict | None:
        """What the rules of a namespace have said; the one that dropped it."""
        verdicts = [v for v in self._evidence.verdicts(place) if v.chain != BARRIER]
        told = [v for v in verdicts if _is_told(v)]
        dropped = next((verdict for verdict in told if verdict.drops), None)
        if dropped is not None:
            said = f"dropped by {dropped.owner}, {dropped.where}: {dropped.reason}"
            hint = drop_hint(self._ends, self._evidence, dropped)
            self._add("rules", "failed", said, *map(_line, told), hint=hint)
        elif told:
            self._add("rules", "passed", f"the rules {where} let it through", *map(_line, told))
        return dropped

    def _tell_last_link(self) -> None:
        ends, evidence = self._ends, self._evidence
        assert ends.target is not None
        arrived = evidence.arrived(ends.arrival)
        found = arrived or [s for s in evidence.sent("host") if s.outgoing]
        endpoint = ends.endpoint_at(found[-1].packet.target if found else evidence.address)
        if endpoint is None:
            return
        pair = _pair(endpoint)
        if arrived:
            packet, flow = arrived[0].packet, evidence.flow
            port = packet.port if flow is not None and flow.port else 0
            self._add(
                "link",
                "passed",
                f"{pair}: it came to {ends.target_name}",
                f"as {packet.source} → {at_port(packet.target, port)}",
            )
        elif evidence.sent("host", endpoint.link):
            said = f"{pair}: it did not come out"
            self._add("link", "failed", said, hint=_state_hint(endpoint))

    def _is_routed(self) -> bool:
        route = self._evidence.route
        to_host = self._ends.target is None or self._ends.port is not None
        return to_host or (isinstance(route, FoundRoute) and bool(route.gateway))


def _link(route: FoundRoute | OSError | None) -> str:
    return "" if route is None or isinstance(route, OSError) else route.link


def _pair(endpoint: SeenEndpoint) -> str:
    return f"{endpoint.interface}═{endpoint.link}" if endpoint.link else endpoint.interface


def _state_hint(endpoint: SeenEndpoint) -> str:
    if endpoint.state == "up":
        return ""
    return f"its link at the host is {endpoint.state}: `buoy network repair` puts it right"


def _is_told(verdict: Verdict) -> bool:
    """Not what decides nothing, nor what other roots of Buoy let pass."""
    if verdict.drops or verdict.said in ("continue", "return", ""):
        return verdict.drops
    return bool(verdict.rule) if verdict.owner == BUOY else verdict.owner != ANOTHER_ROOT


def _line(verdict: Verdict) -> str:
    words = f"{verdict.where}: {verdict.said}"
    why = verdict.comment or verdict.rule or "policy"
    return f"{words} ({why})"
