"""The host as the router of its networks: firewall tables, forwarding, and other firewalls."""

from __future__ import annotations

import errno

from engine.kernel.netlink import NetlinkError
from engine.network import forwarding, names
from engine.network.coexistence import Neighbours
from engine.network.contents import Contents
from engine.network.drivers.driver import get_driver
from engine.network.firewall import Firewall, headers_of
from engine.network.publication import Publication

TYPE_CHECKING = False  # `typing` takes 3 ms
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from engine.kernel.nftexpressions import Header
    from engine.kernel.rtnetlink import RouteSocket
    from engine.network.spec import Network
    from engine.state.paths import Roots


class Gateway:
    """What the host needs to pass the traffic of networks on, where their driver wants that.

    networks   all that are on record: what is put back when a table was lost
    """

    def __init__(self, roots: Roots, networks: Callable[[], list[Network]]) -> None:
        self._roots = roots
        self._networks = networks
        self._firewall = Firewall(roots.kernel_name, roots.root)
        self._read: _Tables | None = None

    def close(self) -> None:
        """Close the sockets that are kept open; may be repeated."""
        self._firewall.close()

    def contents(self) -> Contents:
        """What the tables hold now."""
        return Contents(self._firewall.netlink, self._firewall.table, whole=True)

    def find_faults(self, network: Network, contents: Contents) -> Iterator[str]:
        """What keeps its traffic from being passed on, in plain words. Changes nothing."""
        yield from contents.faults(network)
        for one in contents.missing(self._published(network)):
            yield f"the firewall does not lead {one.shown} to its container"
        neighbours = self._neighbours()
        for header in headers_of(network):
            yield from forwarding.find_faults(header)
            if contents.is_complete(header):  # else what follows from it would be told
                yield from forwarding.find_unguarded(self._roots, self._firewall, header)
                yield from neighbours.dockers.find_faults(header)
        yield from neighbours.faults(network.device, headers_of(network))

    def find_obstacles(self, network: Network) -> Iterator[tuple[str, str]]:
        """What of others keeps it from being passed on; what to do about it. Changes nothing."""
        yield from self._neighbours().unanswered(network.device, headers_of(network))

    def find_stale(self, contents: Contents) -> Iterator[str]:
        """What the tables hold for nobody, in plain words. Changes nothing."""
        yield from contents.stale(self._routed())
        for one in self._firewall.publications():
            if not _is_held(one.holder, ()):
                yield f"the firewall leads {one.shown} to a container that has ended"

    def ensure(self, host: RouteSocket, network: Network) -> list[str]:
        """Pass its traffic on, whatever became of the tables; what was changed on the host for
        that, in plain words."""
        contents = self._tables().contents
        unpublished = contents.missing(self._published(network))
        if unpublished or any(contents.faults(network)):
            self._restore(network, contents, unpublished)
        said: list[str] = []
        for header in headers_of(network):
            forwarding.restore_guard(self._roots, self._firewall, header)
            said += forwarding.ensure_forwarding(self._roots, host, self._firewall, header)
        self._tables().neighbours.answer(network.device, headers_of(network))
        return said

    def ensure_tables(self) -> None:
        """Put back a table that was lost, with all that belongs into it, while somebody is up."""
        for header, network in self.find_lost_tables().items():
            self._restore(network, self._tables().contents, [])
            forwarding.restore_guard(self._roots, self._firewall, header)
            self._neighbours().dockers.keep_apart(header)

    def find_lost_tables(self) -> dict[Header, Network]:
        """The IP versions whose table is not as it was made, while somebody is up; each with a
        network that has it. Changes nothing."""
        networks = self._routed()
        having = {header: network for network in networks for header in headers_of(network)}
        lost = {one: having[one] for one in having if not self._firewall.exists(one)}
        return lost if lost and any(map(self._is_used, networks)) else {}

    def forget(self, networks: Collection[Network]) -> None:
        """Pass their traffic on no more; accepts absence."""
        for network in networks:
            self._firewall.remove_network(network)
        self._firewall.forget_flows(networks)
        neighbours = self._neighbours()
        for network in networks:
            neighbours.withdraw(network.device)

    def give_up(self, host: RouteSocket) -> None:
        """The last network is gone."""
        self._firewall.remove()
        forwarding.give_up_forwarding(self._roots, host)

    def withdraw_stale(self, live: Collection[str]) -> None:
        """Take out the ports of monitors that were killed.

        live   the first 12 of the ids of containers whose monitor runs
        """
        self._firewall.withdraw_stale(lambda holder: not _is_held(holder, live))

    def hold_only_known(self) -> None:
        """Take out what the tables hold of networks that there are not."""
        self._firewall.hold_only(self._routed())

    def _restore(
        self, network: Network, contents: Contents, unpublished: list[Publication]
    ) -> None:
        """Add the network and its ports; after a lost table also all others and their ports."""
        lost = [header for header in headers_of(network) if not contents.is_complete(header)]
        for header in lost:
            self._firewall.ensure(header)
        try:
            self._firewall.add_network(network, headers_of(network))
        except NetlinkError as error:
            if error.errno != errno.EEXIST:
                raise
            self.hold_only_known()  # an element of somebody else's is in the way
        for known in self._routed() if lost else ():
            self._firewall.add_network(known, lost)
        published = self._published(*self._routed()) if lost else []
        restored = [*unpublished, *(one for one in published if one.header in lost)]
        if restored:
            self._firewall.publish(restored)
            # a container may have ended since its names were read
            self._firewall.withdraw_stale(lambda holder: not _is_held(holder, ()))

    def _is_used(self, network: Network) -> bool:
        return any(entry.alive for entry in names.read(self._roots.network_run(network.id)))

    def _tables(self) -> _Tables:
        """As they are now: read again once somebody has changed one."""
        generation = self._firewall.netlink.generation()
        if self._read is None or self._read.generation != generation:
            contents = Contents(self._firewall.netlink, self._firewall.table, whole=False)
            self._read = _Tables(generation, contents, self._neighbours())
        return self._read

    def _neighbours(self) -> Neighbours:
        return Neighbours(self._firewall.netlink, self._firewall.table)

    def _routed(self) -> list[Network]:
        return [network for network in self._networks() if get_driver(network.driver).ROUTED]

    def _published(self, *networks: Network) -> list[Publication]:
        found = (
            Publication.parse(shown, entry.addresses, f"{entry.container_id[:12]} {entry.holder}")
            for network in networks
            for entry in names.read(self._roots.network_run(network.id))
            if entry.alive
            for shown in entry.published
        )
        return [publication for publication in found if publication is not None]


class _Tables:
    """What was read of the tables, ours and those of others, since they are of a generation."""

    __slots__ = ("contents", "generation", "neighbours")

    def __init__(self, generation: int, contents: Contents, neighbours: Neighbours) -> None:
        self.generation, self.contents, self.neighbours = generation, contents, neighbours


def _is_held(holder: str, live: Collection[str]) -> bool:
    container, _, identity = holder.partition(" ")
    return container in live or names.is_alive(identity)
