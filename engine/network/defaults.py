"""The networks that exist without being asked for: `bridge`, `host` and `none`.

Containers on `bridge` see each other by address alone: it has no DNS of ours, their resolv.conf
names the host's servers, and links are lines of /etc/hosts (engine.md B6.9, B7.1). It is made when
a container comes to need it, and its device goes with the last one.
"""

from __future__ import annotations

import hashlib
from ipaddress import IPv4Network

from engine.errors import NetworkProblem
from engine.network import names
from engine.network.ipam import ipv4_candidates
from engine.network.spec import Network
from engine.network.transient import BRIDGE as BRIDGE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from engine.network.names import Entry

DRIVERS = {BRIDGE: "bridge", "host": "host", "none": "null"}
_SUBNET = IPv4Network("172.17.0.0/16")


def default_id(kernel_name: str, name: str) -> str:
    """The id of such a network: it does not change when the network is made."""
    return hashlib.sha256(f"{kernel_name} {name}".encode()).hexdigest()


def default_network(kernel_name: str, name: str) -> Network:
    """One that nothing is on record of: `bridge` before it is made, and the other two."""
    return Network(
        id=default_id(kernel_name, name),
        name=name,
        driver=DRIVERS[name],
        device="",
        pools=(),
        internal=False,
        labels={},
        options={},
        created_at=0.0,
    )


def with_defaults(networks: Sequence[Network], kernel_name: str) -> list[Network]:
    """These and the default ones, by name."""
    found = {name: default_network(kernel_name, name) for name in DRIVERS}
    found |= {network.name: network for network in networks}
    return [found[name] for name in sorted(found)]


def default_candidates() -> Iterator[IPv4Network]:
    """The subnets of `bridge`, best first."""
    yield _SUBNET
    yield from ipv4_candidates()


def refuse_default(name: str, verb: str) -> None:
    """Raises NetworkProblem where `name` is one of these."""
    if name in DRIVERS:
        raise NetworkProblem(
            f"{name} is a pre-defined network and cannot be {verb}", code="network-predefined"
        )


def linked_lines(directory: str, links: Sequence[Sequence[str]], *, container: str) -> list[str]:
    """Lines of /etc/hosts for (alias, container name) on `bridge`.

    directory  of its names table

    Raises NetworkProblem `link-not-running`.
    """
    there = names.read(directory) if links else []
    return [_line(there, alias, target, container) for alias, target in links]


def _line(there: Sequence[Entry], alias: str, target: str, container: str) -> str:
    for entry in there:
        if target in entry.names and entry.alive:
            words = dict.fromkeys([alias, entry.container_id[:12], target])
            return f"{entry.addresses[0]}\t{' '.join(words)}"
    raise NetworkProblem(
        f"container {container}: its link {target} does not run",
        hint=f"start {target} first, or put both on a network of their own",
        code="link-not-running",
    )
