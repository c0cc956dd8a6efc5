"""The network of one container, as its monitor holds it."""

from __future__ import annotations

import contextlib
import os
import socket

from engine.kernel.child import call_in_child
from engine.kernel.namespaces import joined_network
from engine.kernel.rtnetlink import RouteSocket
from engine.network import names, ports
from engine.network.dns.forward import Forwarder
from engine.network.dns.listeners import Listeners
from engine.network.dns.server import Server
from engine.network.dns.zone import Zone
from engine.network.endpoint import plug
from engine.network.firewall import Firewall
from engine.network.namespace import make_namespace
from engine.network.published import described, is_way_in, publications, relayed
from engine.network.relaying import Relaying
from engine.network.revision import Revision
from engine.network.rewiring import rewired

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from engine.kernel.loop import Loop
    from engine.network.dhcp.clients import Clients
    from engine.network.ports import Reservation
    from engine.network.publication import Publication


class Sandbox:
    """Namespace, endpoints, reserved ports, firewall elements and DNS of one container.

    netns_fd    close-on-exec; the namespace lives as long as this is open or a process is in it
    published   ports as bound: `host_ip`, `published`, `target`, `protocol`
    """

    def __init__(self, record: Mapping[str, Any], container_id: str) -> None:
        self.netns_fd = -1
        self.published: list[dict[str, Any]] = []
        self._record = record
        self._container_id = container_id
        self._owner = os.getpid()  # the monitor, also where a child of it does the work
        self._links: dict[str, str] = {}  # network id -> veth at the host
        self._reservations: list[Reservation] = []
        self._is_published = False
        self._relaying: Relaying | None = None
        self._listeners: Listeners | None = None
        self._server: Server | None = None
        self._firewall = Firewall(record["table"])
        self._clients: Clients | None = None  # of DHCP

    @classmethod
    def create(cls, record: Mapping[str, Any], container_id: str) -> Sandbox:
        """Make all of it but names and service: `reserve` and `make` in one process.

        On failure what was made is undone.
        """
        sandbox = cls(record, container_id)
        try:
            sandbox.reserve()
            sandbox.make()
        except BaseException:
            sandbox.close()
            raise
        return sandbox

    def reserve(self) -> None:
        """Bind the host ports. Raises ports.PortTaken, or OSError for a foreign address."""
        self._reservations = ports.reserve(self._record["ports"])
        self.published = described(self._reservations)

    def make(self, userns_fd: int | None = None) -> None:
        """Namespace, links, DNS sockets, firewall elements; called in the host's namespace, stays
        there. The calling process must have a single thread.

        userns_fd  the user namespace that it shall belong to; None: the caller's

        Raises drivers.driver.DeviceMissing, OSError; then `close` undoes what was made.
        """
        has_dns = self._record["mode"] == "sandbox" and self._record["dns"]["embedded"]
        self.netns_fd, inside, self._listeners = make_namespace(userns_fd, dns=has_dns)
        try:
            self._plug(inside)
        finally:
            inside.close()
        self._publish()

    def hand_over(self) -> tuple[dict[str, str], list[int]]:
        """What `make` has made, for `adopt` in the process that forked this one."""
        fds = [self.netns_fd]
        if self._listeners is not None:
            fds += [self._listeners.udp.fileno(), self._listeners.tcp.fileno()]
        return self._links, fds

    def adopt(self, links: dict[str, str], fds: list[int]) -> None:
        """Go on with what a child has made: the monitor stays small, the work was the child's."""
        self._links = links
        self._is_published = bool(self._publications())
        self.netns_fd = fds[0]
        if len(fds) > 1:
            self._listeners = Listeners(socket.socket(fileno=fds[1]), socket.socket(fileno=fds[2]))

    def register(self) -> None:
        """Let the other containers of its networks find it by name."""
        self._write_names(up=True)

    def deregister(self) -> None:
        """Its process has ended: nobody finds it any more, links and ports stay."""
        self._write_names(up=False)

    def serve(self, loop: Loop) -> None:
        """Answer the DNS queries of the container, relay, and keep its leases, on the monitor's
        loop."""
        self._start_clients(loop)
        listeners = relayed(self._record, self._reservations)
        if listeners:
            self._relaying = Relaying(loop, listeners)
        if self._listeners is None:
            return
        dns = self._record["dns"]
        forwarder = Forwarder(loop, self.netns_fd, servers=dns["servers"], host=dns["host"])
        zone = Zone(self._record["endpoints"], dns["hosts"])
        self._server = Server(
            self._listeners, zone, forwarder, loop, ndots_given=dns["ndots_given"]
        )

    def change(self, record: Mapping[str, Any], loop: Loop) -> None:
        """Be on the networks of another record, while the container runs. With the same record,
        what somebody took away is put back.

        Raises ports.PortTaken or OSError, with everything as it was before.
        """
        reserved = self._reservations
        revision = Revision(reserved, record["ports"])
        before, self._record = self._record, record
        self._reservations = revision.after
        had_listeners = self._listeners is not None
        self._end_clients(record["plugs"])
        try:
            self._ensure_listeners()
            self._links = call_in_child(lambda: self._rewire(before, reserved))
        except BaseException:
            self._record, self._reservations = before, reserved
            revision.undo()
            if not had_listeners:
                self._close_listeners()
            self._start_clients(loop)
            raise
        self._stop_answering()  # it listens on the ports that are given back
        revision.settle()
        self.published = described(self._reservations)
        self._is_published = bool(self._publications())
        self.serve(loop)

    def close(self) -> None:
        """Give everything back; may be repeated. The kernel drops the links with the namespace.

        Carries on past failures and raises the first of them at the end.
        """
        failures: list[Exception] = []
        steps = (self._end_clients, self._stop_serving, self._drop_names, self._withdraw)
        for step in (*steps, self._drop_namespace, self._firewall.close):
            _attempt(step, failures)
        if failures:
            raise failures[0]

    def _rewire(self, before: Mapping[str, Any], reserved: list[Reservation]) -> dict[str, str]:
        """In a child: links and routes, ports, names; what goes is the last to go."""
        change = rewired(self.netns_fd, self._links, _wired(before), _wired(self._record))
        with contextlib.closing(Firewall(self._record["table"])) as firewall, change as links:
            self._links = links
            self._republish(firewall, self._publications_of(before, reserved))
            self._write_names(up=True)
        kept = {endpoint["directory"] for endpoint in self._record["endpoints"]}
        for endpoint in before["endpoints"]:
            if endpoint["directory"] not in kept:
                names.drop(endpoint["directory"], self._container_id)
        return links

    def _ensure_listeners(self) -> None:
        """Also for a container that comes from the default network, which has no DNS."""
        if self._record["dns"]["embedded"]:
            with joined_network(self.netns_fd):
                if self._listeners is None:
                    self._listeners = Listeners.open()
                else:
                    self._listeners.redirect()

    def _republish(self, firewall: Firewall, old: list[Publication]) -> None:
        """All that is new in one batch, or none of it; then what is left of the old goes."""
        new = {one.shown: one for one in self._publications()}
        if {(one.shown, one.address) for one in old} != {
            (one.shown, one.address) for one in new.values()
        }:
            firewall.publish(new.values())
            firewall.withdraw(one for one in old if one.shown not in new)

    def _plug(self, inside: RouteSocket) -> None:
        with RouteSocket() as host:
            for endpoint in _wired(self._record):
                link = plug(host, inside, self.netns_fd, endpoint)
                self._links[endpoint["network_id"]] = link

    def _publish(self) -> None:
        publications = self._publications()
        if publications:
            self._firewall.publish(publications)
            self._is_published = True

    def _publications(self) -> list[Publication]:
        return self._publications_of(self._record, self._reservations)

    def _publications_of(
        self, record: Mapping[str, Any], reservations: list[Reservation]
    ) -> list[Publication]:
        holder = f"{self._container_id[:12]} {names.identity(self._owner)}"
        return publications(record, reservations, holder)

    def _write_names(self, *, up: bool) -> None:
        shown = [publication.shown for publication in self._publications()]
        for endpoint in self._record["endpoints"]:
            entry = names.Entry(
                addresses=tuple(place["address"] for place in endpoint["addresses"]),
                container_id=self._container_id,
                holder=names.identity(self._owner),
                link=self._links[endpoint["network_id"]],
                names=tuple(endpoint["names"]) if up else (),
                published=tuple(shown) if is_way_in(endpoint) else (),
            )
            names.put(endpoint["directory"], entry)

    def _start_clients(self, loop: Loop) -> None:
        plugs = self._record.get("plugs", [])
        if any(plug["dhcp"] for plug in plugs):
            from engine.network.dhcp.clients import Clients  # few containers need it

            self._clients = self._clients or Clients(loop, self.netns_fd)
            self._clients.start(plugs)

    def _end_clients(self, kept: Sequence[Any] = ()) -> None:
        """But for those of the plugs that are kept."""
        if self._clients is not None:
            self._clients.end_all_but(kept)

    def _stop_serving(self) -> None:
        self._stop_answering()
        self._close_listeners()

    def _close_listeners(self) -> None:
        if self._listeners is not None:
            self._listeners.close()
            self._listeners = None

    def _stop_answering(self) -> None:
        if self._relaying is not None:
            self._relaying.close()
            self._relaying = None
        if self._server is not None:
            self._server.close()
            self._server = None

    def _drop_names(self) -> None:
        for endpoint in self._record["endpoints"]:
            names.drop(endpoint["directory"], self._container_id)

    def _withdraw(self) -> None:
        """The elements first: while our sockets reserve the ports, nobody else's can be there."""
        try:
            if self._is_published:
                self._firewall.withdraw(self._publications())
                self._is_published = False
        finally:
            for reservation in self._reservations:
                reservation.close()
            self._reservations = []

    def _drop_namespace(self) -> None:
        if self.netns_fd >= 0:
            os.close(self.netns_fd)
            self.netns_fd = -1


def _wired(record: Mapping[str, Any]) -> list[Any]:
    """What has a link: its places on networks, and what was plugged in by hand after them."""
    return [*record["endpoints"], *record.get("plugs", [])]


def _attempt(step: Callable[[], None], failures: list[Exception]) -> None:
    try:
        step()
    except Exception as error:  # noqa: BLE001 - raised by the caller once all is done
        failures.append(error)
