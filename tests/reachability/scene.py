"""One host with both projects on it, in a namespace of its own, and who reaches whom there."""

from __future__ import annotations

import contextlib
import json
import os
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from engine.kernel import namespaces
from tests.engine.network.world import (
    Servers,
    inside,
    new_neighbour,
    private_host,
    route_through_host,
    run,
)
from tests.reachability import matrix
from tests.reachability.probes import ask_all

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from tests.reachability.matrix import Matrix

FILES = tuple(Path(__file__).with_name(name) for name in ("project.yaml", "other.yaml"))
ROUTED = ("10.81.1.0/24", "10.81.2.0/24", "10.81.3.0/24", "10.82.1.0/24")
ROUTED6 = ("fd81:1::/64", "fd82:1::/64")


class Party(NamedTuple):
    """Who brings projects up.

    compose  runs a command of Compose
    command  runs another one, such as `network create`
    init_of  of the container of a service; None where there is none that runs
    """

    compose: Callable[..., None]
    command: Callable[..., object]
    init_of: Callable[[str], int | None]


class Result(NamedTuple):
    """What ought to be seen, and what was."""

    expected: Matrix
    seen: Matrix


@contextlib.contextmanager
def host() -> Iterator[int]:
    """The caller on a host of its own; given is its neighbour's namespace."""
    with private_host():
        neighbour = new_neighbour()
        try:
            with namespaces.joined_network(neighbour):
                run("sysctl", "-qw", "net.ipv4.ip_forward=0", "net.ipv6.conf.all.forwarding=0")
                for subnet in (*ROUTED, *ROUTED6):
                    route_through_host(subnet)
            yield neighbour
        finally:
            os.close(neighbour)


def look(neighbour: int, party: Party, *, doubtful: Iterable[str] = ()) -> Result:
    """Bring both projects up, probe, and take them down.

    doubtful  names of facts whose answers need not come, as patterns of fnmatch
    """
    for file in FILES:
        party.compose("-f", str(file), "up", "-d")
    try:
        with _places(neighbour, party) as places:
            return _look(places, tuple(doubtful))
    finally:
        for file in FILES:
            party.compose("-f", str(file), "down", "-t", "0")


@contextlib.contextmanager
def _places(neighbour: int, party: Party) -> Iterator[Mapping[str, int | None]]:
    """The namespaces by name; in each a server says the name of its home."""
    servers = Servers()
    try:
        places: dict[str, int | None] = {matrix.HOST: None, "neighbour": neighbour}
        for name in ("native", *matrix.NETWORKS):
            places[name] = _opened(str(party.init_of(name)), servers)
        here = _opened("thread-self", servers)
        for name, place in places.items():
            if name not in matrix.HOMES:
                servers.serve(name, here if place is None else place, 80)
        yield places
    finally:
        servers.close()


def _opened(process: str, servers: Servers) -> int:
    """A process's network namespace, for as long as there are servers."""
    fd = os.open(f"/proc/{process}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    servers.owned.append(fd)
    return fd


def _look(places: Mapping[str, int | None], doubtful: tuple[str, ...]) -> Result:
    addresses = {name: _addresses(places[name]) for name in matrix.NETWORKS if name != "mate"}
    targets = matrix.targets(addresses)
    probes = matrix.probes(targets)
    wanted = matrix.wanted(targets)
    waited_for = {
        probe
        for probe, (source, target) in probes.items()
        if probe.protocol in wanted[source, target.name]
        and not any(fnmatchcase(matrix.fact(source, target.name), one) for one in doubtful)
    }
    return Result(wanted, matrix.seen(probes, ask_all(places, probes, waited_for)))


def _addresses(place: int | None) -> list[str]:
    """Those that others could use."""
    with inside(place):
        links = json.loads(run("ip", "-json", "address", "show", "scope", "global"))
    found = [address for link in links for address in link.get("addr_info", ())]
    return [address["local"] for address in found if address]
