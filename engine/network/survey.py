"""Networks as they are on record, beside what the kernel has of them, seen from the host."""

from __future__ import annotations

from engine.kernel.rtnetlink import RouteSocket
from engine.network.detours import Detours
from engine.network.drivers.driver import get_driver
from engine.network.finding import Finding

TYPE_CHECKING = False  # `typing` takes 3 ms
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from engine.network.gateway import Gateway
    from engine.network.names import Entry
    from engine.network.spec import Network

    Endpoints = Callable[[Network], list[Entry]]
    NameOf = Callable[[str], str]


def survey(
    gateway: Gateway, networks: Iterable[Network], endpoints: Endpoints, name_of: NameOf
) -> list[Finding]:
    """What is not as recorded. Changes nothing.

    endpoints   who is up on a network
    name_of     name of a container by its id
    """
    contents = gateway.contents()
    found: list[Finding] = []
    with RouteSocket() as host:
        detours = Detours(host, name_of)
        for network in networks:
            driver, entries = get_driver(network.driver), endpoints(network)
            faults = driver.find_faults(host, network)
            if not faults:  # else what follows from them would be told
                found += _lost_links(host, network, entries, name_of)
                found += _obstacles(gateway, detours, network, entries)
            if driver.ROUTED:
                faults += gateway.find_faults(network, contents)
            found += [Finding(network=network.name, what=fault) for fault in faults]
    return found


def find_obstacles(gateway: Gateway, network: Network) -> list[Finding]:
    """What of the host is in the way of a network that has just been made."""
    with RouteSocket() as host:
        return list(_obstacles(gateway, Detours(host, str), network, []))


def _obstacles(
    gateway: Gateway, detours: Detours, network: Network, entries: list[Entry]
) -> Iterator[Finding]:
    if get_driver(network.driver).ROUTED:
        yield from detours.find(network, entries)
        for what, hint in gateway.find_obstacles(network):
            yield Finding(network=network.name, what=what, hint=hint)


def _lost_links(
    host: RouteSocket, network: Network, entries: list[Entry], name_of: NameOf
) -> Iterator[Finding]:
    driver = get_driver(network.driver)
    for entry in entries:
        what = driver.find_link_fault(host, entry.link, network) if entry.alive else ""
        if what:
            container = name_of(entry.container_id)
            yield Finding(network=network.name, what=what, container=container)
