"""Networks of one engine: their records, their kernel objects, and who is attached to them.

`ps` and `up` with nothing to do only list: what creating and attaching need is imported there.
"""

from __future__ import annotations

from contextlib import suppress
from functools import cached_property

from engine.errors import NetworkProblem
from engine.kernel.rtnetlink import RouteSocket
from engine.network import names, records
from engine.network.drivers.driver import get_driver
from engine.network.gateway import Gateway
from engine.network.options import unknown_options
from engine.network.spec import NetworkSpec
from engine.state.db import transaction

TYPE_CHECKING = False  # `typing` takes 3 ms
if TYPE_CHECKING:
    import builtins
    import sqlite3
    from collections.abc import Collection, Iterable, Iterator
    from typing import Any

    from engine.containers.observed import Attachment
    from engine.containers.spec import ContainerSpec
    from engine.network.claims import Claims
    from engine.network.finding import Finding
    from engine.network.observe import ObservedBridge
    from engine.network.plugs.plugs import Plugs
    from engine.network.spec import Network, Pool
    from engine.state.paths import Roots


class Networks:
    """Networks of the engine at `roots`.

    notices   what was changed on the host for them, or could not be answered, in plain words,
              each once; for the caller to show
    """

    def __init__(self, roots: Roots, database: sqlite3.Connection) -> None:
        self.notices: builtins.list[str] = []
        self._roots = roots
        self._database = database
        self._gateway = Gateway(roots, self.list)

    @cached_property
    def plugs(self) -> Plugs:
        """Interfaces of containers beside those of networks."""
        from engine.network.plugs.plugs import Plugs

        return Plugs(self._roots, self._database)

    def close(self) -> None:
        """Close the sockets that are kept open; may be repeated."""
        self._gateway.close()

    def create(self, spec: NetworkSpec) -> Network:
        """Record a network and bring it up; on failure neither is left.

        Raises NetworkProblem: network-exists, driver-unknown, subnet-taken, subnets-exhausted...
        """
        from engine.network.defaults import refuse_default

        refuse_default(spec.name, "made")
        return self._create(spec)

    def _create(self, spec: NetworkSpec) -> Network:
        from engine.network.subnets import record_network, subnet_lock

        driver = get_driver(spec.driver)
        driver.validate(spec)
        if driver.is_internal(spec):
            spec = spec.replace(internal=True)
        with subnet_lock():
            network = self.get(record_network(self._database, self._roots.kernel_name, spec))
            try:
                with RouteSocket() as host:
                    driver.create(host, network)
                self.ensure_up(network)
                self._notice(
                    *_without_effect(spec),
                    *self._obstacles(network),
                )
            except BaseException:
                with suppress(OSError):  # what has failed is told
                    self._remove_objects(network)
                records.delete(self._database, network.id)
                raise
        return network

    def ensure_up(self, network: Network) -> None:
        """Device and firewall as recorded, whatever became of them. 0.6 ms when all is there.

        Raises NetworkProblem where they cannot be.
        """
        driver = get_driver(network.driver)
        with RouteSocket() as host:
            if driver.find_faults(host, network):
                driver.create(host, network)
                self._replug(host, network)
            if driver.ROUTED:
                self._notice(*self._gateway.ensure(host, network))

    def restore(self, network: Network) -> None:
        """As `ensure_up`, and the links of those who are on it."""
        self.ensure_up(network)
        with RouteSocket() as host:
            self._replug(host, network)

    def find_faults(self, networks: Iterable[Network]) -> builtins.list[Finding]:
        """What is not as recorded of networks, as far as it is seen from the host. Changes
        nothing."""
        from engine.network.survey import survey

        return survey(self._gateway, networks, self.endpoints, self._container_name)

    def ensure_tables(self) -> None:
        """Put back firewall tables that somebody took away; 0.3 ms where nobody did."""
        self._gateway.ensure_tables()

    def has_lost_tables(self) -> bool:
        """Whether somebody took some away, while containers need them. Changes nothing."""
        return bool(self._gateway.find_lost_tables())

    def find(self, name_or_id: str) -> Network | None:
        """By name, id, or a prefix of the id that only one has."""
        return records.find(self._database, name_or_id)

    def get(self, name_or_id: str) -> Network:
        """As `find`. Raises NetworkProblem `no-such-network`."""
        network = self.find(name_or_id)
        if network is None:
            raise NetworkProblem(f"network {name_or_id} not found", code="no-such-network")
        return network

    def get_or_default(self, name_or_id: str) -> Network:
        """As `get`; and bridge, host and none, which are there without being on record."""
        from engine.network.defaults import DRIVERS, default_network

        if name_or_id in DRIVERS and self.find(name_or_id) is None:
            return default_network(self._roots.kernel_name, name_or_id)
        return self.get(name_or_id)

    def list(self) -> builtins.list[Network]:
        """All networks, by name."""
        return records.all_by_name(self._database)

    def list_all(self) -> builtins.list[Network]:
        """As `list`, and bridge, host and none, which are there without being on record."""
        from engine.network.defaults import with_defaults

        return with_defaults(self.list(), self._roots.kernel_name)

    def remove(self, name_or_id: str, *, must_exist: bool = False) -> None:
        """Remove a network with its kernel objects and claims; accepts absence unless it must be
        there.

        Raises NetworkProblem `network-in-use` while endpoints are up.
        """
        from engine.network.defaults import refuse_default

        network = self.find(name_or_id)
        refuse_default(network.name if network else name_or_id, "removed")
        if network is None:
            if must_exist:
                self.get(name_or_id)
            return
        self._remove(network)

    def remove_all(self, leaving: Iterable[str]) -> dict[str, NetworkProblem]:
        """Remove networks together, which takes the kernel half as long as each by itself; accepts
        absence. Those that endpoints are up on stay: what `remove` would raise, by name.

        Raises OSError where one cannot be removed; then all are on record as before.
        """
        from engine.network.defaults import refuse_default

        networks = [network for name in leaving if (network := self.find(name)) is not None]
        for network in networks:
            refuse_default(network.name, "removed")
        return self._remove_unused(networks)

    def _obstacles(self, network: Network) -> Iterator[str]:
        from engine.network.survey import find_obstacles

        for one in find_obstacles(self._gateway, network):
            yield f"network {network.name}: {one} ({one.hint})"

    def _remove(self, network: Network) -> None:
        for problem in self._remove_unused([network]).values():
            raise problem

    def _remove_unused(self, networks: Iterable[Network]) -> dict[str, NetworkProblem]:
        from engine.network.subnets import subnet_lock

        in_use: dict[str, NetworkProblem] = {}
        going = []
        with transaction(self._database):  # who comes to one now waits, and finds it gone
            for network in networks:
                try:
                    self._refuse_in_use(network)
                    going.append(network)
                except NetworkProblem as problem:
                    in_use[network.name] = problem
            self._remove_objects(*going)
            for network in going:
                records.delete(self._database, network.id)
        with subnet_lock():  # nobody creates one meanwhile
            if not records.is_any(self._database):
                with RouteSocket() as host:
                    self._gateway.give_up(host)
        return in_use

    def _refuse_in_use(self, network: Network) -> None:
        up = [entry.container_id for entry in self.endpoints(network) if entry.alive]
        claiming = records.users(self._database, network.id)
        starting = [one for one in claiming if one not in up and self._is_on(one, network)]
        if up or starting:
            shown = ", ".join(map(self._container_name, (*up, *starting)))
            raise NetworkProblem(
                f"network {network.name} has active endpoints: {shown}",
                hint="stop or remove these containers first",
                code="network-in-use",
            )

    def _is_on(self, container_id: str, network: Network) -> bool:
        """Whether a container that has an address there is up, or about to be."""
        from engine.state.turns import is_taken

        entries = self.endpoints(network)
        is_up = any(one.container_id == container_id and one.alive for one in entries)
        return is_up or is_taken(self._roots.turns, container_id)

    def attach(
        self,
        container_id: str,
        name: str,
        hostname: str,
        spec: ContainerSpec,
        *,
        running: bool = False,
    ) -> dict[str, Any]:
        """Claim addresses; the `network` section of the launch record, for `Sandbox.create`.

        May be repeated: a container keeps what it has. Networks that are down are brought up.

        running   its interfaces are there, and keep their names
        """
        from engine.network import attachment, transient

        wishes = attachment.in_connect_order(spec)
        held = records.interfaces(self._database, container_id) if running else {}
        plan = attachment.Plan(self._roots, container_id, name, hostname, spec, held)
        with transient.kept(self._roots):
            chosen = [(wish, self._get_or_make(wish.network)) for wish in wishes]
            for _, network in chosen:
                self.ensure_up(network)
            with transaction(self._database):
                for _, network in chosen:
                    self._require_kept(network)
                claimed = [plan.claim(wish, network, self._claims) for wish, network in chosen]
        plugged = self.plugs.describe(container_id, hostname, spec) if spec.plugs else []
        record = plan.record(claimed, plugged)
        if spec.ports and not record["ports"]:
            self._notice(*attachment.why_unpublished(name, claimed))
        return record

    def detach(self, container_id: str, network: Network | None = None) -> None:
        """Give a container's claims back, those on one network or all; accepts absence. Sticky
        ones are remembered."""
        from engine.network import claims
        from engine.network.defaults import BRIDGE

        with transaction(self._database):
            claims.release(self._database, container_id, network)
        self.drop_idle(BRIDGE)

    def drop_idle(self, name: str) -> None:
        """Remove a network that is there while it is needed, unless somebody is on it."""
        from engine.network import transient

        network = self.find(name)
        if network is None or records.is_claimed(self._database, network.id):
            return
        with transient.dropping(self._roots):
            if not records.is_claimed(self._database, network.id):
                self._remove(network)

    def attachments(self, container_id: str) -> tuple[Attachment, ...]:
        """Its places on networks, in connect order."""
        from engine.network.attached import claimed_attachments

        return claimed_attachments(self._database, container_id, self.get)

    def endpoints(self, network: Network) -> builtins.list[names.Entry]:
        """Who is up on a network now."""
        return names.read(self._roots.network_run(network.id))

    def observe(self, network: Network) -> ObservedBridge | None:
        """Its device as the kernel has it now; None when it is gone."""
        from engine.network.observe import observe_bridge

        return observe_bridge(network.device)

    def find_stale(self) -> builtins.list[Finding]:
        """What is left of containers and networks that are gone. Changes nothing."""
        from engine.network import leftovers

        return leftovers.find(self._roots, self._gateway, self.list())

    def remove_stale(self) -> None:
        """Take that away."""
        from engine.network import leftovers

        leftovers.remove(self._roots, self._gateway, self.list)

    def mend(self, live: Collection[str]) -> None:
        """Drop what monitors that were killed have left: names, firewall elements, claims.

        live   ids of containers whose monitor runs. Another command may have started one since
               they were counted, so nothing is dropped whose own monitor is still there.
        """
        from engine.network import claims, leftovers

        leftovers.drop_unheld(self._roots, self._gateway, self.list(), live)
        with transaction(self._database):
            claims.release_of_gone(self._database)

    def _get_or_make(self, name_or_id: str) -> Network:
        """As `get`; one that is there while it is needed is made when it is wanted first."""
        from engine.network.transient import TRANSIENT

        if name_or_id in TRANSIENT and self.find(name_or_id) is None:
            try:
                return self._create(NetworkSpec(name=name_or_id))
            except NetworkProblem as problem:
                if problem.code != "network-exists":  # else another command was quicker
                    raise
        return self.get(name_or_id)

    def _require_kept(self, network: Network) -> None:
        """Raises NetworkProblem where another command has removed it while we brought it up."""
        if self.find(network.id) is None:
            self._remove_objects(network)
            raise NetworkProblem(
                f"network {network.name} has just been removed", code="no-such-network"
            )

    def _claims(self, network: Network, pool: Pool) -> Claims:
        from engine.network.claims import Claims

        return Claims(self._database, network, pool, lambda one: self._is_on(one, network))

    def _replug(self, host: RouteSocket, network: Network) -> None:
        for entry in self.endpoints(network):
            get_driver(network.driver).replug(host, entry.link, network)

    def _remove_objects(self, *networks: Network) -> None:
        routed = [one for one in networks if get_driver(one.driver).ROUTED]
        if routed:
            self._gateway.forget(routed)
        with RouteSocket() as host, host.removing_together():
            for network in networks:
                get_driver(network.driver).remove(host, network)
        for network in networks:
            names.remove(self._roots.network_run(network.id))

    def _container_name(self, container_id: str) -> str:
        return records.container_name(self._database, container_id)

    def _notice(self, *said: str) -> None:
        self.notices += [text for text in said if text not in self.notices]


def _without_effect(spec: NetworkSpec) -> Iterator[str]:
    for key in unknown_options(spec.driver, spec.options):
        yield f"network {spec.name}: the option {key} is not known, and has no effect"
    for pool in spec.pools:
        version, is_enabled = (6, spec.ipv6) if ":" in pool.subnet else (4, spec.ipv4)
        if not is_enabled:
            yield (
                f"network {spec.name}: subnet {pool.subnet} has no effect: IPv{version} is not "
                f"enabled (enable_ipv{version}: true)"
            )
