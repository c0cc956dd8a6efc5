"""Networks as they are on record, beside what the kernel has of them, seen from the host."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.kernel.rtnetlink import RouteSocket
from engine.network.detours import Detours
from engine.network.drivers.driver import get_driver
from engine.network.finding import Finding

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
            if driver.ROUTED:
                found += detours.find(network, entries) if not faults else ()
                faults += gateway.find_faults(network, contents)
            found += [Finding(network=network.name, what=fault) for fault in faults]
    return found


def _lost_links(
    host: RouteSocket, network: Network, entries: list[Entry], name_of: NameOf
) -> Iterator[Finding]:
    driver = get_driver(network.driver)
    for entry in entries:
        what = driver.find_link_fault(host, entry.link, network) if entry.alive else ""
        if what:
            container = name_of(entry.container_id)
            yield Finding(network=network.name, what=what, container=container)
