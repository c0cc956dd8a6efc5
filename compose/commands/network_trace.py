"""`buoy network trace`: what becomes of a packet, hop by hop."""

from __future__ import annotations

import contextlib
import json
import sys

from compose.commands.network_graph import look
from compose.commands.parsing import UsageProblem
from compose.errors import NoProjectFile

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from typing import Literal

    from compose.commands.context import Context
    from engine import Question, SeenContainer, Topology

    Protocol = Literal["tcp", "udp", "icmp"]

_HOST, _OUTSIDE = "host", "outside"
_PORTED = ("tcp", "udp")
_LARGEST_PORT = 65_535
_GOOD = ("reached", "leaves")


def add_arguments(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Its arguments."""
    text = (
        "Send a packet, and show hop by hop what becomes of it: which name, route, links and rules,"
        " who dropped it and why. It does not leave this host, and no program gets a connection."
    )
    showing = verbs.add_parser("trace", description=text, prog="buoy network trace")
    add = showing.add_argument
    add("source", metavar="FROM", help="a service, a container, or `host`")
    add("target", metavar="TO", help="the same, or an address, a name, a published port")
    add("port", nargs="?", default="icmp", metavar="PORT[/tcp|udp]|icmp")
    version = showing.add_mutually_exclusive_group()
    version.add_argument("-4", dest="version", action="store_const", const=4, help="by IPv4")
    version.add_argument("-6", dest="version", action="store_const", const=6, help="by IPv6")
    add("--format", choices=("text", "json"), default="text")


def trace(args: argparse.Namespace, context: Context) -> int:
    """0 where the target is reached, else 1."""
    from compose.ui.network.scope import shown_names
    from engine import trace as send

    topology, project = look(context), _project(args, context)
    question = _Words(topology, project).question(args)
    found = send(context.engine.roots, topology, question, shown_names(topology, project))
    if args.format == "json":
        context.console.out(json.dumps(found.plain(), indent=2))
    else:
        from compose.ui.network.way import to_text

        coloured = context.console.coloured(sys.stdout)
        context.console.out(to_text(found, topology.ways, coloured=coloured))
    return 0 if found.outcome in _GOOD else 1


def _project(args: argparse.Namespace, context: Context) -> str | None:
    """The one whose services can be named, if there is one here."""
    from compose.commands.target import find_target

    with contextlib.suppress(NoProjectFile):
        return find_target(context, args).name
    return None


class _Words:
    """What the words of the command line stand for."""

    def __init__(self, topology: Topology, project: str | None) -> None:
        self._containers, self._project = topology.containers, project
        self._own = {way.address for way in topology.ways}
        self._own |= {one.partition("/")[0] for n in topology.networks for one in n.gateways}

    def question(self, args: argparse.Namespace) -> Question:
        from engine import Question

        begin = None if args.source == _HOST else self._container(args.source)
        if begin is None and args.source != _HOST:
            raise UsageProblem(
                f"there is no container or service `{args.source}`",
                hint="a trace begins in a container, or at `host`",
            )
        target, port = args.target, args.port
        if port == "icmp" and _is_port(target):
            target, port = _HOST, target
        if not target:
            raise UsageProblem("there is nothing to trace to", hint="`host`, or whom you mean")
        number, protocol = _read_port(port)
        source = begin.id if begin else _HOST
        return Question(
            source=source,
            protocol=protocol,
            port=number,
            version=args.version,
            **self._target(target, source, args.version),
        )

    def _target(self, word: str, source: str, version: int | None) -> dict[str, str]:
        """`target`, and `name` or `address` where it is known by these."""
        if word == _HOST:
            return {"target": _HOST}
        address = _read_address(word)
        if address:
            if version not in (None, 6 if ":" in address else 4):
                raise UsageProblem(f"{address} is no IPv{version} address")
            at = source if _is_loopback(address) else self._at(address)
            return {"target": at, "address": address}
        found = self._container(word)
        if found is None:
            return {"target": _OUTSIDE, "name": word}
        return {"target": found.id, "name": word if self._is_of(found, word) else found.name}

    def _container(self, word: str) -> SeenContainer | None:
        """By service, then by name, short or whole, then by what its id begins with."""
        services = [one for one in self._containers if self._is_of(one, word)]
        whole = (word, f"{self._project}-{word}")
        named = [one for one in self._containers if one.name in whole]
        begun = [one for one in self._containers if len(word) > 3 and one.id.startswith(word)]
        running = sorted(services, key=lambda one: not one.is_up)
        return next(iter([*running, *named, *begun]), None)

    def _is_of(self, one: SeenContainer, service: str) -> bool:
        from compose.reconcile import names

        own = (one.labels.get(names.PROJECT), one.labels.get(names.SERVICE))
        return own == (self._project, service)

    def _at(self, address: str) -> str:
        """Whose address that is."""
        if address in self._own:
            return _HOST
        for one in self._containers:
            for endpoint in one.endpoints:
                if address in (found.partition("/")[0] for found in endpoint.addresses):
                    return one.id
        return _OUTSIDE


def _is_loopback(address: str) -> bool:
    return address.startswith("127.") or address == "::1"


def _is_port(word: str) -> bool:
    number, _, protocol = word.partition("/")
    return number.isdecimal() and protocol in ("", *_PORTED)


def _read_port(word: str) -> tuple[int, Protocol]:
    if word == "icmp":
        return 0, "icmp"
    number, _, protocol = word.partition("/")
    if not _is_port(word) or not 0 < int(number) <= _LARGEST_PORT:
        raise UsageProblem(f"`{word}` is no port", hint="as 80, 53/udp, or icmp")
    return int(number), "udp" if protocol == "udp" else "tcp"


def _read_address(word: str) -> str:
    """The address that it is, written as the kernel writes it; "": it is none."""
    import ipaddress

    try:
        address = ipaddress.ip_address(word.strip("[]"))
    except ValueError:
        return ""
    if "%" in word or address.is_multicast or address.is_unspecified:
        hint = "one of a single machine, without `%`"
        raise UsageProblem(f"no trace leads to the address {address}", hint=hint)
    return str(address)
