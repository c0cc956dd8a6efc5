"""The host as the router of its networks: firewall tables, forwarding, and other firewalls."""

from __future__ import annotations

from engine.network import coexistence, forwarding, names
from engine.network.drivers.driver import get_driver
from engine.network.firewall import Firewall, headers_of
from engine.network.publication import Publication

TYPE_CHECKING = False  # `typing` takes 3 ms
if TYPE_CHECKING:
    from collections.abc import Callable, Collection

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
        self._firewall = Firewall(roots.kernel_name)

    def close(self) -> None:
        """Close the sockets that are kept open; may be repeated."""
        self._firewall.close()

    def knows(self, network: Network) -> bool:
        """Whether the firewall is as it should be for that network. Changes nothing."""
        return self._firewall.has_network(network)

    def ensure(self, host: RouteSocket, network: Network) -> list[str]:
        """Pass its traffic on, whatever became of the tables; what was changed on the host for
        that, or could not be, in plain words."""
        if not self._firewall.has_network(network):
            self._restore(host, network)
        said: list[str] = []
        headers = headers_of(network)
        for header in headers:
            said += forwarding.ensure_forwarding(self._roots, host, self._firewall, header)
        netlink, own = self._firewall.netlink, self._firewall.table
        return [*said, *coexistence.answer(netlink, network.device, own, headers)]

    def forget(self, network: Network) -> None:
        """Pass its traffic on no more; accepts absence."""
        self._firewall.remove_network(network)
        coexistence.withdraw(self._firewall.netlink, network.device)

    def give_up(self, host: RouteSocket) -> None:
        """The last network is gone."""
        self._firewall.remove()
        forwarding.give_up_forwarding(self._roots, host)

    def withdraw_stale(self, live: Collection[str]) -> None:
        """Take out the ports of monitors that were killed.

        live   the first 12 of the ids of containers whose monitor runs
        """
        self._firewall.withdraw_stale(lambda holder: not _is_held(holder, live))

    def _restore(self, host: RouteSocket, network: Network) -> None:
        """Add the network; after a lost table also all others, their ports and the guard."""
        lost = [header for header in headers_of(network) if not self._firewall.exists(header)]
        for header in lost:
            self._firewall.ensure(header)
        self._firewall.add_network(network, headers_of(network))
        for known in self._networks() if lost else ():
            driver = get_driver(known.driver)
            if driver.ROUTED and driver.is_up(host, known):
                self._firewall.add_network(known, lost)
        for header in lost:
            forwarding.restore_guard(self._roots, self._firewall, header)
        self._firewall.publish([one for one in self._published() if one.header in lost])

    def _published(self) -> list[Publication]:
        found = (
            Publication.parse(shown, entry.addresses, f"{entry.container_id[:12]} {entry.holder}")
            for network in self._networks()
            for entry in names.read(self._roots.network_run(network.id))
            if entry.alive
            for shown in entry.published
        )
        return [publication for publication in found if publication is not None]


def _is_held(holder: str, live: Collection[str]) -> bool:
    container, _, identity = holder.partition(" ")
    return container in live or names.is_alive(identity)
