"""What is in use on a host, and the first subnet that meets none of it (engine.md B2.2)."""

from __future__ import annotations

import ipaddress
import socket
from bisect import bisect_right

from engine.errors import NetworkProblem

TYPE_CHECKING = False  # `typing` takes 3 ms
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from engine.kernel.rtnetlink import Route
    from engine.network.spec import Range

SPLIT_DEFAULT = 1  # 0.0.0.0/1 and 128.0.0.0/1: a VPN's way to say default route
_NAMED = 12  # of those who use what: more say less


class Obstacle:
    """A range that is in use, and by whom.

    link   of the host, which the user is told by
    """

    __slots__ = ("_link", "_user", "range", "yields")

    def __init__(
        self, taken: Range, user: str, *, link: int | None = None, yields: bool = False
    ) -> None:
        self.range = taken
        self._user, self._link = user, link
        self.yields = yields  # a route through a gateway: avoided, but only while there is room

    @property
    def user(self) -> str:
        """Who uses it. The kernel is asked for the link of each route only here: few are told."""
        if self._link is None:
            return self._user
        return f"{self._user} by {link_name(self._link) or 'a gateway'}"

    def meets(self, subnet: Range) -> bool:
        """Whether the two have an address in common."""
        return self.range.version == subnet.version and self.range.overlaps(subnet)


def route_obstacles(routes: Iterable[Route]) -> list[Obstacle]:
    """Every live route of the host but default ones. Those to a gateway yield when all else is
    taken."""
    return [
        Obstacle(
            ipaddress.ip_network((route.destination, route.prefix_length)),
            "a route of the host",
            link=route.link,
            yields=not route.on_link,
        )
        for route in routes
        if route.prefix_length > SPLIT_DEFAULT
    ]


def link_name(index: int) -> str:
    """Of a link of the host; "" where there is none, as of a route with several next hops."""
    try:
        return socket.if_indextoname(index)
    except OSError:
        return ""


def server_obstacles(servers: Iterable[str]) -> list[Obstacle]:
    """Resolvers as obstacles."""
    found = []
    for server in servers:
        try:
            address = ipaddress.ip_address(server.partition("%")[0])
        except ValueError:
            continue
        found.append(Obstacle(ipaddress.ip_network(address), "a name server of the host"))
    return found


def choose_subnet(obstacles: Sequence[Obstacle], candidates: Iterable[Range]) -> Range:
    """The first candidate that meets no obstacle.

    Raises NetworkProblem `subnets-exhausted`, which names who uses what.
    """
    tried = []
    taken = _Taken(obstacles)
    for subnet in candidates:
        if not taken.meets(subnet):
            return subnet
        tried.append(subnet)
    firm = [obstacle for obstacle in obstacles if not obstacle.yields]
    taken = _Taken(firm)
    for subnet in tried:
        if not taken.meets(subnet):
            return subnet
    raise NetworkProblem(
        f"all predefined address pools have been fully subnetted: {_users(firm, tried)}",
        hint="give the network a subnet of its own, or remove networks that are not used",
        code="subnets-exhausted",
    )


class _Taken:
    """All addresses of obstacles: a question costs the logarithm of their number."""

    def __init__(self, obstacles: Iterable[Obstacle]) -> None:
        self._starts: dict[int, list[int]] = {4: [], 6: []}
        self._ends: dict[int, list[int]] = {4: [], 6: []}
        spans = sorted((o.range.version, *_span(o.range)) for o in obstacles)
        for version, start, end in spans:
            ends = self._ends[version]
            if ends and start <= ends[-1]:
                ends[-1] = max(ends[-1], end)
            else:
                self._starts[version].append(start)
                ends.append(end)

    def meets(self, subnet: Range) -> bool:
        start, end = _span(subnet)
        before = bisect_right(self._starts[subnet.version], end)
        return before > 0 and self._ends[subnet.version][before - 1] >= start


def _span(subnet: Range) -> tuple[int, int]:
    """Its first and its last address."""
    return int(subnet.network_address), int(subnet.broadcast_address)


def _users(obstacles: Iterable[Obstacle], subnets: Iterable[Range]) -> str:
    """Who is in the way, one for each range: a network has a route, too."""
    wanted = _Taken(Obstacle(subnet, "") for subnet in subnets)
    met: dict[Range, str] = {}
    for obstacle in obstacles:
        if wanted.meets(obstacle.range):
            met.setdefault(obstacle.range, obstacle.user)
    named = [f"{one} by {user}" for one, user in list(met.items())[:_NAMED]]
    more = len(met) - len(named)
    return ", ".join(named) + (f" and {more} more" if more else "")
