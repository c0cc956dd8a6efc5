"""Networks as a tree for a terminal, and who reaches whom as a table below it."""

from __future__ import annotations

from compose.ui.network.matrix import matrix_lines
from compose.ui.network.words import (
    MENDING,
    device_text,
    global_ways,
    is_damaged,
    link_text,
    network_words,
    port_texts,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from engine import SeenContainer, SeenEndpoint, SeenNetwork, Topology

    Tree = tuple[str, "Sequence[Tree]"]


def to_text(topology: Topology, shown: Mapping[str, str], width: int) -> str:
    """The whole picture.

    shown   container ids with the names that they are shown under
    width   of the terminal, in characters
    """
    lines = [*_Tree(topology, shown).lines()]
    matrix = matrix_lines(topology, shown, width)
    if matrix:
        lines += ["", *matrix]
    if is_damaged(topology):
        lines += ["", MENDING]
    return "\n".join(lines) + "\n"


class _Tree:
    def __init__(self, topology: Topology, shown: Mapping[str, str]) -> None:
        self._topology, self._shown = topology, shown

    def lines(self) -> Iterator[str]:
        ways = [f"{one.link} {one.address}" for one in global_ways(self._topology)]
        yield "outside"
        ports = [
            f"{text} {self._shown[one.id]}"
            for one in self._topology.containers
            for text in port_texts(port for port in one.ports if not port.is_local)
        ]
        yield from (f"│  {text}" for text in ports)
        yield "  ".join([f"host {self._topology.hostname}", *ways])
        yield from _branches([*self._networks(), *self._others()], "")

    def _networks(self) -> Iterator[Tree]:
        networks = self._topology.networks
        width = max((len(network.name) for network in networks), default=0)
        for network in networks:
            parts = [f"{network.name:<{width}}", device_text(network)]
            parts += network.gateways or network.subnets
            parts += [f"({word})" for word in network_words(network)]
            yield "  ".join(parts), self._on(network)

    def _on(self, network: SeenNetwork) -> list[Tree]:
        places = [
            (container, endpoint)
            for container in self._topology.containers
            for endpoint in container.endpoints
            if endpoint.network == network.name
        ]
        columns = _aligned([self._columns(*place) for place in places])
        return [
            (line, self._sharing(container.id))
            for line, (container, _) in zip(columns, places, strict=True)
        ]

    def _columns(self, container: SeenContainer, endpoint: SeenEndpoint) -> list[str]:
        name = self._shown[container.id]
        if not container.is_up:
            return [name, f"({container.status})"]
        addresses = " ".join(one.partition("/")[0] for one in endpoint.addresses)
        others = dict.fromkeys(one.network for one in container.endpoints)
        others.pop(endpoint.network)
        more = port_texts(container.ports)
        more += [f"also on {', '.join(others)}"] if others else []
        return [name, addresses, link_text(endpoint), "  ".join(more)]

    def _sharing(self, owner: str) -> list[Tree]:
        """Who is in the same namespace."""
        return [
            (f"{self._shown[one.id]}  (in the same namespace)", ())
            for one in self._topology.containers
            if one.shares == owner
        ]

    def _others(self) -> Iterator[Tree]:
        for one in self._topology.containers:
            if one.shares == "host":
                yield f"{self._shown[one.id]}  (in the host's own namespace)", ()
            elif not one.shares and not one.endpoints:
                yield f"{self._shown[one.id]}  (on no network)", self._sharing(one.id)


def _branches(trees: Sequence[Tree], indent: str) -> Iterator[str]:
    for number, (line, below) in enumerate(trees, start=1):
        last = number == len(trees)
        yield f"{indent}{'└─' if last else '├─'} {line}".rstrip()
        yield from _branches(below, f"{indent}{'   ' if last else '│  '}")


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines whose columns stand below each other; the last of a row takes no room."""
    widths: dict[int, int] = {}
    for row in rows:
        for place, text in enumerate(row[:-1]):
            widths[place] = max(widths.get(place, 0), len(text))
    return [
        "  ".join(f"{text:<{widths.get(place, 0)}}" for place, text in enumerate(row)).rstrip()
        for row in rows
    ]
