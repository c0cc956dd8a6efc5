"""The trace of a packet from one place to another."""

from __future__ import annotations

import ipaddress
import socket
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

from engine.network.trace.evidence import Evidence
from engine.network.trace.listening import listening_addresses
from engine.network.trace.lookup import look_up
from engine.network.trace.packets import Sender
from engine.network.trace.places import Ends, opened_places
from engine.network.trace.reasons import obstacles
from engine.network.trace.route import FoundRoute, find_route
from engine.network.trace.story import tell
from engine.network.trace.watch import watch

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from engine.network.topology.facts import Topology
    from engine.network.trace.facts import Question, Trace
    from engine.state.paths import Roots


def trace(roots: Roots, topology: Topology, question: Question, shown: Mapping[str, str]) -> Trace:
    """What becomes of a packet, by sending one: to the target, but no further than this host.

    shown   the names under which containers are spoken of, by id

    It joins each namespace for a moment: for a process without an event loop, or a thread of its
    own. Raises NetworkProblem `not-running`.
    """
    ends = Ends(topology, question, shown)
    with ExitStack() as stack:
        places = opened_places(stack, ends)
        return tell(ends, _gather(roots.kernel_name, question, ends, places))


def _gather(own_table: str, question: Question, ends: Ends, places: Mapping[str, int]) -> Evidence:
    begin = next(iter(places.values()))
    evidence = _look_up(Evidence(), question, ends, begin)
    if not evidence.address:
        return evidence
    route, behind = find_route(begin, evidence.address), _behind(ends, evidence.address)
    evidence = evidence.replace(
        route=route, behind=behind, host_route=find_route(places["host"], behind)
    )
    if isinstance(route, OSError) or not route.is_usable:
        return evidence
    if question.protocol != "icmp" and not ends.is_outside:
        evidence = evidence.replace(listening=_listening(question, ends))
    evidence = evidence.replace(obstacles=tuple(obstacles(ends, own_table)))
    if not _is_safe(ends, evidence.address, route):
        return evidence
    sender = Sender(
        begin, question.protocol, route.source or evidence.address, evidence.address, question.port
    )
    with closing(sender):
        return evidence.replace(
            flow=sender.flow,
            back_route=find_route(places["host"], sender.flow.source),
            seen=watch(sender, places, own_table, ends.inner_links()),
        )


def _look_up(evidence: Evidence, question: Question, ends: Ends, begin: int) -> Evidence:
    """With the address that is sent to: as given, else as looked up, else as is known here."""
    versions = [question.version] if question.version else [4, 6]
    if question.address:
        return evidence.replace(address=question.address)
    asked: list[str] = []
    if question.name and not ends.is_one_place and (ends.source is not None or ends.is_outside):
        try:
            asked = _ask(begin, question.name, versions, by_host=ends.source is None)
            evidence = evidence.replace(asked=tuple(asked))
        except OSError as error:
            evidence = evidence.replace(lookup_error=str(error))
    known = [one for one in ends.addresses() if ipaddress.ip_address(one).version in versions]
    own = [one for one in asked if one in known]  # of several replicas the one that is meant
    return evidence.replace(address=next(iter([*own, *asked, *known]), ""))


def _ask(begin: int, name: str, versions: Sequence[int], *, by_host: bool) -> list[str]:
    if by_host:
        return _ask_host(name, versions)
    return [one for version in versions for one in look_up(begin, name, version)]


def _ask_host(name: str, versions: Sequence[int]) -> list[str]:
    """As a program of the host would find it."""
    families = {4: socket.AF_INET, 6: socket.AF_INET6}
    found = []
    for version in versions:
        try:
            infos = socket.getaddrinfo(name, None, families[version], socket.SOCK_STREAM)
        except (socket.gaierror, UnicodeError):  # the second: it can be no name at all
            continue
        found += [str(info[4][0]) for info in infos]
    return found


def _behind(ends: Ends, address: str) -> str:
    """Where what is sent to an address leads: of a published port, to the container's."""
    same = (one for one in ends.target_addresses() if (":" in one) == (":" in address))
    return next(same, address) if ends.port is not None else address


def _listening(question: Question, ends: Ends) -> tuple[str, ...]:
    process = str(ends.target.pid) if ends.target is not None else "thread-self"
    port = ends.port.target if ends.port is not None else question.port
    return tuple(listening_addresses(process, question.protocol, port))


def _is_safe(ends: Ends, address: str, route: FoundRoute) -> bool:
    """Whether what is sent by a route comes by the host's rules, where it can be held back; or
    stays on a network that the target is on, too."""
    if ends.source is None or route.kind == "local":
        return True
    endpoint = next((e for e in ends.source.endpoints if e.interface == route.link), None)
    if endpoint is None:
        return False
    there = ends.endpoint_at(address)
    shared = there is not None and there.network == endpoint.network
    return shared or ends.networks[endpoint.network].routed
