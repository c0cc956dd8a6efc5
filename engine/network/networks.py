"""Networks of one engine: their records, their kernel objects, and who is attached to them.

`ps` and `up` with nothing to do only list: what creating and attaching need is imported there.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time

from engine.errors import NetworkProblem
from engine.kernel.rtnetlink import RouteSocket
from engine.network import bridge, coexistence, forwarding, names
from engine.network.endpoint import replug
from engine.network.firewall import Firewall, Publication
from engine.network.resolv import read_host
from engine.network.spec import OPTION_BRIDGE_NAME, network_of
from engine.state.db import transaction

TYPE_CHECKING = False  # `typing` takes 3 ms
if TYPE_CHECKING:
    import builtins
    import sqlite3
    from collections.abc import Collection, Iterator
    from typing import Any

    from engine.containers.spec import Attachment, ContainerSpec, EndpointSpec
    from engine.network.attachment import Claimed, Plan
    from engine.network.ipam import Obstacle
    from engine.network.observe import ObservedBridge
    from engine.network.spec import Network, NetworkSpec
    from engine.state.paths import Roots

_SUBNET_LOCK = "/run/lock/buoy-subnets"  # of the machine: engines with other roots choose too


class Networks:
    """Networks of the engine at `roots`.

    notices   what was changed on the host for them, or could not be answered, in plain words,
              each once; for the caller to show
    """

    def __init__(self, roots: Roots, database: sqlite3.Connection) -> None:
        self.notices: builtins.list[str] = []
        self._roots = roots
        self._database = database
        self._firewall = Firewall(roots.kernel_name)

    def close(self) -> None:
        """Close the sockets that are kept open; may be repeated."""
        self._firewall.close()

    def create(self, spec: NetworkSpec) -> Network:
        """Record a network and bring it up; on failure neither is left.

        Raises NetworkProblem: network-exists, driver-unknown, subnet-taken, subnets-exhausted...
        """
        if spec.driver != "bridge":
            raise NetworkProblem(
                f"network {spec.name}: driver `{spec.driver}` is not built yet",
                hint="use `driver: bridge`",
                code="driver-unknown",
            )
        with _subnet_lock():
            network = self._record(spec)
            try:
                self.ensure_up(network)
            except BaseException:
                self._remove_objects(network)
                self._database.execute("DELETE FROM networks WHERE id = ?", (network.id,))
                raise
        return network

    def ensure_up(self, network: Network) -> None:
        """Bridge and firewall as recorded, whatever became of them. 0.3 ms when all is there."""
        with RouteSocket() as host:
            if not bridge.is_up(host, network):
                index = bridge.ensure_bridge(host, network)
                for entry in names.read(self._roots.network_run(network.id)):
                    replug(host, entry.link, index)
            if not self._firewall.has_network(network.bridge):
                self._restore_firewall(host, network)
            changed = forwarding.ensure_forwarding(self._roots, host, self._firewall)
        self._notice(*([changed] if changed else []))
        own = self._firewall.table
        self._notice(*coexistence.answer(self._firewall.netlink, network.bridge, own))

    def is_up(self, network: Network) -> bool:
        """Whether bridge and firewall are as recorded. Changes nothing; 0.2 ms."""
        with RouteSocket() as host:
            complete = bridge.is_up(host, network)
        return complete and self._firewall.has_network(network.bridge)

    def find(self, name_or_id: str) -> Network | None:
        """By name, id, or a prefix of the id that only one has."""
        row = self._database.execute(
            "SELECT * FROM networks WHERE name = ? OR id = ?", (name_or_id, name_or_id)
        ).fetchone()
        if row is None and name_or_id.isalnum():
            rows = self._database.execute(
                "SELECT * FROM networks WHERE id GLOB ? LIMIT 2", (f"{name_or_id}*",)
            ).fetchall()
            row = rows[0] if len(rows) == 1 else None
        return network_of(row) if row else None

    def get(self, name_or_id: str) -> Network:
        """As `find`. Raises NetworkProblem `no-such-network`."""
        network = self.find(name_or_id)
        if network is None:
            raise NetworkProblem(f"network {name_or_id} not found", code="no-such-network")
        return network

    def list(self) -> builtins.list[Network]:
        """All networks, by name."""
        rows = self._database.execute("SELECT * FROM networks ORDER BY name")
        return [network_of(row) for row in rows]

    def remove(self, name_or_id: str) -> None:
        """Remove a network with its kernel objects and claims; accepts absence.

        Raises NetworkProblem `network-in-use` while endpoints are up.
        """
        network = self.find(name_or_id)
        if network is None:
            return
        users = [entry for entry in self.endpoints(network) if entry.alive]
        if users:
            shown = ", ".join(self._container_name(entry.container_id) for entry in users)
            raise NetworkProblem(
                f"network {network.name} has active endpoints: {shown}",
                hint="stop or remove these containers first",
                code="network-in-use",
            )
        self._remove_objects(network)
        self._database.execute("DELETE FROM networks WHERE id = ?", (network.id,))
        with _subnet_lock():  # nobody creates one meanwhile
            if not self.list():
                self._remove_last()

    def attach(
        self, container_id: str, name: str, hostname: str, spec: ContainerSpec
    ) -> dict[str, Any]:
        """Claim addresses; the `network` section of the launch record, for `Sandbox.create`.

        May be repeated: a container keeps what it has. Networks that are down are brought up.
        """
        from engine.network import attachment

        chosen = [(wish, self.get(wish.network)) for wish in attachment.in_connect_order(spec)]
        for _, network in chosen:
            self.ensure_up(network)
        plan = attachment.Plan(self._roots, container_id, name, hostname, spec)
        with transaction(self._database):
            # looked up again: another command may have removed one
            claimed = [self._claim(plan, wish, self.get(network.id)) for wish, network in chosen]
        return plan.record(claimed)

    def detach(self, container_id: str) -> None:
        """Give a container's claims back; accepts absence. Sticky ones are remembered."""
        from engine.network import claims

        with transaction(self._database):
            claims.release(self._database, container_id)

    def attachments(self, container_id: str) -> tuple[Attachment, ...]:
        """Its places on networks, in connect order."""
        from engine.network.attachment import attachment_of

        rows = self._database.execute(
            "SELECT a.address, a.mac_address, a.interface, n.* FROM addresses a"
            " JOIN networks n ON n.id = a.network_id WHERE a.container_id = ?"
            " ORDER BY length(a.interface), a.interface",
            (container_id,),
        )
        return tuple(attachment_of(row, network_of(row)) for row in rows)

    def endpoints(self, network: Network) -> builtins.list[names.Entry]:
        """Who is up on a network now."""
        return names.read(self._roots.network_run(network.id))

    def observe(self, network: Network) -> ObservedBridge | None:
        """Its bridge as the kernel has it now; None when it is gone."""
        from engine.network.observe import observe_bridge

        return observe_bridge(network.bridge)

    def mend(self, live: Collection[str]) -> None:
        """Drop what monitors that were killed have left: names, firewall elements, claims.

        live   ids of containers whose monitor runs. Another command may have started one since
               they were counted, so nothing is dropped whose own monitor is still there.
        """
        from engine.network import claims

        for network in self.list():
            directory = self._roots.network_run(network.id)
            names.keep(directory, lambda e: e.container_id in live or e.alive)
        short = {container_id[:12] for container_id in live}
        self._firewall.withdraw_stale(lambda holder: not _is_held(holder, short))
        with transaction(self._database):
            gone = self._database.execute(
                "SELECT DISTINCT container_id FROM addresses WHERE container_id NOT IN"
                " (SELECT id FROM containers)"
            ).fetchall()
            for row in gone:
                claims.release(self._database, row["container_id"])

    def _record(self, spec: NetworkSpec) -> Network:
        from engine.network import ipam

        network_id = os.urandom(32).hex()
        device = spec.options.get(OPTION_BRIDGE_NAME) or bridge.default_name(network_id)
        with transaction(self._database):
            if self.find(spec.name) is not None:
                raise NetworkProblem(
                    f"network with name {spec.name} already exists", code="network-exists"
                )
            others = [ipam.Obstacle(n.subnet, f"network {n.name}") for n in self.list()]
            pool = ipam.choose_pool(spec, others, _host_obstacles)
            self._database.execute(
                "INSERT INTO networks (id, name, driver, bridge, subnet, subnet_given, ip_range,"
                " gateway, internal, labels, options, created_at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    network_id,
                    spec.name,
                    spec.driver,
                    device,
                    str(pool.subnet),
                    spec.subnet is not None,
                    str(pool.ip_range) if pool.ip_range else None,
                    str(pool.gateway),
                    spec.internal,
                    json.dumps(dict(spec.labels)),
                    json.dumps(dict(spec.options)),
                    time.time(),
                ),
            )
        return self.get(network_id)

    def _restore_firewall(self, host: RouteSocket, network: Network) -> None:
        """Add the network; after a lost table also all others, their ports and the guard."""
        lost = not self._firewall.exists()
        if lost:
            self._firewall.ensure()
        for known in self.list():
            if known.id == network.id or (lost and bridge.is_up(host, known)):
                self._firewall.add_network(known.bridge, known.range, internal=known.internal)
        if lost:
            forwarding.restore_guard(self._roots, self._firewall)
            self._firewall.publish(self._published())

    def _published(self) -> builtins.list[Publication]:
        return [
            Publication.parse(shown, entry.address, f"{entry.container_id[:12]} {entry.holder}")
            for network in self.list()
            for entry in self.endpoints(network)
            if entry.alive
            for shown in entry.published
        ]

    def _claim(self, plan: Plan, wish: EndpointSpec, network: Network) -> Claimed:
        from engine.network.claims import Claims

        def is_up(container_id: str) -> bool:
            entries = self.endpoints(network)
            return any(e.container_id == container_id and e.alive for e in entries)

        return plan.claim(Claims(self._database, network, is_up), wish, network)

    def _remove_objects(self, network: Network) -> None:
        self._firewall.remove_network(network.bridge, network.range, internal=network.internal)
        coexistence.withdraw(self._firewall.netlink, network.bridge)
        with RouteSocket() as host:
            bridge.remove_bridge(host, network)
        names.remove(self._roots.network_run(network.id))

    def _remove_last(self) -> None:
        self._firewall.remove()
        with RouteSocket() as host:
            forwarding.give_up_forwarding(self._roots, host)

    def _container_name(self, container_id: str) -> str:
        row = self._database.execute(
            "SELECT name FROM containers WHERE id = ?", (container_id,)
        ).fetchone()
        return str(row["name"]) if row else container_id[:12]

    def _notice(self, *said: str) -> None:
        self.notices += [text for text in said if text not in self.notices]


def _host_obstacles() -> list[Obstacle]:
    from engine.network import ipam

    with RouteSocket() as host:
        link_names = {link.index: link.name for link in host.links()}
        routes = host.unicast_routes()
    return [
        *ipam.route_obstacles(routes, link_names),
        *ipam.server_obstacles(read_host().nameservers),
    ]


def _is_held(holder: str, live: Collection[str]) -> bool:
    container, _, identity = holder.partition(" ")
    return container in live or names.is_alive(identity)


@contextlib.contextmanager
def _subnet_lock() -> Iterator[None]:
    """For who creates networks. Engines of other roots look at the same routes."""
    os.makedirs(os.path.dirname(_SUBNET_LOCK), exist_ok=True)
    lock = os.open(_SUBNET_LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)
