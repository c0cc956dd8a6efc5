"""Changing the networks of a container while it runs: links come and go, routes follow; what
somebody took away of those that stay comes back.

Done by a child of the monitor, as the making of the network was.
"""

from __future__ import annotations

import contextlib
import errno

from engine.kernel.namespaces import joined_network
from engine.kernel.netlink import accepting
from engine.kernel.rtnetlink import RouteSocket
from engine.network.drivers.bridge import rejoin
from engine.network.drivers.driver import load_driver
from engine.network.endpoint import configure, ways_out

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from typing import Any

    from engine.kernel.netlink import Message

    Endpoint = Mapping[str, Any]


@contextlib.contextmanager
def rewired(
    netns_fd: int, links: Mapping[str, str], before: Sequence[Endpoint], after: Sequence[Endpoint]
) -> Iterator[dict[str, str]]:
    """From the endpoints that there are to those that are wanted, for good at the end of a
    with-block: what else changes with them is done in it, while the old ones are still there.

    links    the end at the host of each, by network id; given as it is afterwards
    before, after   endpoints of launch records

    Raises OSError. Then, and where the block fails, nothing has changed but default routes, which
    are put back.
    """
    with joined_network(netns_fd):
        inside = RouteSocket()
    with inside, RouteSocket() as host:
        change = _Change(host, inside, netns_fd, dict(links))
        fresh, kept, gone = _compared(before, after)
        made = []
        try:
            change.drop_routes(before)
            for endpoint in fresh:
                change.plug(endpoint)
                made.append(endpoint)
            for endpoint in kept:
                change.mend(endpoint)
            change.add_routes(kept)
            lasting = {one["network_id"] for one in after}
            yield {key: link for key, link in change.links.items() if key in lasting}
        except BaseException:
            change.drop_routes(after)
            for endpoint in made:
                change.unplug(endpoint)
            change.add_routes(before)
            raise
        for endpoint in gone:
            change.unplug(endpoint)
        change.add_routes(kept)  # in place of a default route that came by DHCP


def _compared(
    before: Sequence[Endpoint], after: Sequence[Endpoint]
) -> tuple[list[Endpoint], list[Endpoint], list[Endpoint]]:
    """The new ones, those that stay, and those that go."""
    had = {one["network_id"] for one in before}
    wanted = {one["network_id"] for one in after}
    fresh = [one for one in after if one["network_id"] not in had]
    kept = [one for one in after if one["network_id"] in had]
    return fresh, kept, [one for one in before if one["network_id"] not in wanted]


class _Change:
    def __init__(
        self, host: RouteSocket, inside: RouteSocket, netns_fd: int, links: dict[str, str]
    ) -> None:
        self._host, self._inside, self._netns_fd = host, inside, netns_fd
        self.links = links

    def plug(self, endpoint: Endpoint) -> None:
        """Its default route with it. On failure nothing is left of it."""
        link = load_driver(endpoint).plug(self._host, self._netns_fd, endpoint)
        self.links[endpoint["network_id"]] = link
        try:
            configure(self._inside, self._netns_fd, endpoint)
        except BaseException:
            self.unplug(endpoint)
            raise

    def mend(self, endpoint: Endpoint) -> None:
        """Its interface as it is on record, but for default routes."""
        if self._inside.find_link(endpoint["interface"]) is None:
            self.unplug(endpoint)  # whatever of it is at the host
            link = load_driver(endpoint).plug(self._host, self._netns_fd, endpoint)
            self.links[endpoint["network_id"]] = link
        elif not endpoint.get("hairpin", True):
            rejoin(self._host, self.links[endpoint["network_id"]], endpoint["device"])
        configure(self._inside, self._netns_fd, endpoint, routes=False)

    def unplug(self, endpoint: Endpoint) -> None:
        """The interface inside, and whatever of it is at the host."""
        link = self._inside.find_link(endpoint["interface"])
        if link is not None:
            self._inside.remove_link(link.index)
        load_driver(endpoint).unplug(self._host, self.links.pop(endpoint["network_id"], ""))

    def drop_routes(self, endpoints: Iterable[Endpoint]) -> None:
        """Their ways out; accepts absence."""
        for _, removal in self._ways_out(endpoints):
            self._send(removal, errno.ESRCH, errno.ENOENT)

    def add_routes(self, endpoints: Iterable[Endpoint]) -> None:
        """Their ways out; accepts those that are there."""
        for addition, _ in self._ways_out(endpoints):
            self._send(addition, errno.EEXIST)

    def _ways_out(
        self, endpoints: Iterable[Endpoint]
    ) -> Iterator[tuple[list[Message], list[Message]]]:
        for endpoint in endpoints:
            link = self._inside.find_link(endpoint["interface"])
            if link is not None:
                yield from ways_out(endpoint, link.index)

    def _send(self, messages: list[Message], *accepted: int) -> None:
        for message in messages:
            with accepting(*accepted):
                self._inside.send([message])
