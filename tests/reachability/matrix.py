"""Places and targets, what each ought to reach, and the table of what it reached."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.engine.network.world import NEIGHBOUR, NEIGHBOUR6, OUTSIDE_HOST, OUTSIDE_HOST6
from tests.reachability.probes import ICMP, TCP, UDP, Probe

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

HOST = "host"
NETWORKS = {  # of the containers in project.yaml and other.yaml
    **{"web": ("front",), "local": ("front",), "app": ("front", "back"), "db": ("back",)},
    **{"mate": ("front",), "shy": ("quiet",), "coy": ("quiet",), "mac": ("lan",), "alone": ()},
    **{"plain": ("bridge",), "plainer": ("bridge",), "stranger": ("other",)},
}
SOURCES = (HOST, "neighbour", "native", *NETWORKS)
SUBNETS = {
    **{"10.81.1.": "front", "10.81.2.": "back", "10.81.3.": "quiet", "10.82.1.": "other"},
    **{"fd81:": "front", "fd82:": "other", "203.0.113.": "lan"},
}
HOMES = {"native": HOST, "mate": "web"}  # those that are at home in another's namespace
DUAL = ("front", "other")  # networks with both versions of IP

Cell = tuple[str, str]  # source, name of a target
Matrix = dict[Cell, frozenset[str]]  # the protocols that get an answer


@dataclass(frozen=True)
class Target:
    """Where a probe goes to.

    name      how the table calls it
    answers   the place whose server is behind it
    network   that an address belongs to; empty for what is outside all of them
    local     published for this host alone
    """

    name: str
    answers: str
    address: str
    network: str = ""
    port: int = 80
    local: bool = False

    @property
    def protocols(self) -> tuple[str, ...]:
        """Those that it is asked by."""
        return (TCP, UDP, ICMP) if self.port == 80 else (TCP, UDP)

    @property
    def v6(self) -> bool:
        """Which version of IP leads there."""
        return ":" in self.address


def targets(addresses: Mapping[str, Iterable[str]]) -> list[Target]:
    """All of them. addresses: of each container, from inside."""
    found = [
        Target(f"{name}@{network}{'/6' if ':' in address else ''}", name, address, network)
        for name, own in addresses.items()
        for address in own
        for network in [network_of(address)]
    ]
    gateways = {"front": "10.81.1.1", "back": "10.81.2.1", "quiet": "10.81.3.1"}
    found += [Target(f"gateway of {name}", HOST, ip, name) for name, ip in gateways.items()]
    return [
        *found,
        Target("host", HOST, OUTSIDE_HOST),
        Target("host/6", HOST, OUTSIDE_HOST6),
        Target("neighbour", "neighbour", NEIGHBOUR),
        Target("neighbour/6", "neighbour", NEIGHBOUR6),
        Target("host:8080", "web", OUTSIDE_HOST, port=8080),
        Target("host/6:8080", "web", OUTSIDE_HOST6, port=8080),
        Target("gateway:8080", "web", "10.81.1.1", "front", port=8080),
        Target("127.0.0.1:8080", "web", "127.0.0.1", port=8080, local=True),
        Target("[::1]:8080", "web", "::1", port=8080, local=True),
        Target("127.0.0.1:8081", "local", "127.0.0.1", port=8081, local=True),
        Target("host:8081", "nobody", OUTSIDE_HOST, port=8081),
    ]


def network_of(address: str) -> str:
    """By the project files; what they do not name is the default network's."""
    return next((n for start, n in SUBNETS.items() if address.startswith(start)), "bridge")


def expected(source: str, target: Target) -> frozenset[str]:
    """The protocols that ought to be answered."""
    return frozenset(target.protocols if _reaches(source, target) else ())


def _reaches(source: str, target: Target) -> bool:
    home = HOMES.get(source, source)
    if target.answers == "nobody" or not _speaks(home, target):
        return False
    if target.local:
        return home == HOST
    if target.answers in NETWORKS and target.port == 80:
        return _reaches_container(home, target)
    if target.answers == "neighbour":
        return home in (HOST, "neighbour", "mac") or _gets_out(home)
    if home in (HOST, "neighbour"):  # the neighbour has routes to the networks, and uses them
        return True
    return target.network in NETWORKS[home] or _gets_out(home)


def _reaches_container(home: str, target: Target) -> bool:
    if home == target.answers:
        return True
    if home == HOST:
        return target.network != "lan"  # a macvlan's parent does not hear it: the kernel's rule
    if home == "neighbour":
        return target.network == "lan"
    return target.network in NETWORKS[home] and target.network != "quiet"


def _speaks(home: str, target: Target) -> bool:
    dual = home in (HOST, "neighbour") or any(one in DUAL for one in NETWORKS[home])
    return dual or not target.v6


def _gets_out(home: str) -> bool:
    """By way of the host; the neighbour, whom `mac` has for a gateway, forwards nothing."""
    return home == HOST or any(one not in ("back", "lan") for one in NETWORKS.get(home, ()))


def probes(found: Iterable[Target]) -> dict[Probe, tuple[str, Target]]:
    """From everywhere to all of them; what each of the probes is."""
    return {
        Probe(source, protocol, target.address, 0 if protocol == ICMP else target.port): (
            source,
            target,
        )
        for target in found
        for source in SOURCES
        for protocol in target.protocols
    }


def seen(asked: Mapping[Probe, tuple[str, Target]], answers: Mapping[Probe, str]) -> Matrix:
    """What was answered, by whom it ought to be."""
    cells: dict[Cell, set[str]] = {}
    for probe, (source, target) in asked.items():
        cell = cells.setdefault((source, target.name), set())
        if answers.get(probe) in (target.answers, "echo"):
            cell.add(probe.protocol)
    return {cell: frozenset(protocols) for cell, protocols in cells.items()}


def wanted(found: Iterable[Target]) -> Matrix:
    """What ought to be seen."""
    return {
        (source, target.name): expected(source, target) for target in found for source in SOURCES
    }


def table(expectation: Matrix, observed: Matrix) -> str:
    """A row a target, a column a source: T, U and I for what is answered, `.` for nothing.

    A cell that is not as expected has what was expected after a `!`.
    """
    names = list(dict.fromkeys(name for _, name in expectation))
    lines = [f"{'':17}" + "".join(f"{source:>10}" for source in SOURCES)]
    for name in names:
        cells = [
            _cell(expectation[source, name], observed.get((source, name))) for source in SOURCES
        ]
        lines.append(f"{name:17}" + "".join(f"{cell:>10}" for cell in cells))
    return "\n".join(lines)


def _cell(want: frozenset[str], have: frozenset[str] | None) -> str:
    if have is None:
        return "-"
    return letters(have) if have == want else f"{letters(have)}!{letters(want)}"


def facts(observed: Matrix) -> dict[str, str]:
    """As `source -> target`, and the letters of its cell."""
    return {fact(*cell): letters(have) for cell, have in observed.items()}


def fact(source: str, target: str) -> str:
    """The name of one."""
    return f"{source} -> {target}"


def letters(protocols: frozenset[str]) -> str:
    """As a cell of the table."""
    return "".join(p[0].upper() for p in (TCP, UDP, ICMP) if p in protocols) or "."
