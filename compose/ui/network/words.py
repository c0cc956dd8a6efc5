"""What the drawings of networks have in common: ports, subnets and states in few words."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from engine import SeenEndpoint, SeenNetwork, SeenPort, Topology, Way

_ANY = ("0.0.0.0", "::")
_STATES = {
    "up": "",
    "down": "down",
    "missing": "missing",
    "unplugged": "not plugged into the bridge",
}
MENDING = "`buoy network repair` puts right what is missing or not plugged in"


def is_damaged(topology: Topology) -> bool:
    """Whether the kernel has lost something that is on record."""
    networks = any(one.state != "up" or not one.known for one in topology.networks)
    endpoints = [endpoint for one in topology.containers for endpoint in one.endpoints]
    ports = [port for one in topology.containers for port in one.ports]
    return (
        networks
        or any(one.state != "up" for one in endpoints)
        or any(one.way == "missing" for one in ports)
    )


def global_ways(topology: Topology) -> list[Way]:
    """The ways to the host, but for link-local addresses."""
    return [way for way in topology.ways if not way.address.startswith("fe80:")]


def port_texts(ports: Iterable[SeenPort]) -> list[str]:
    """`8080→80`, `127.0.0.1:53→53/udp`; each once, where it is published for both IP versions."""
    return list(dict.fromkeys(map(port_text, ports)))


def port_text(port: SeenPort) -> str:
    """`8080→80`, with the address where it is not published at all of them."""
    protocol = "" if port.protocol == "tcp" else f"/{port.protocol}"
    lost = " (missing in the firewall)" if port.way == "missing" else ""
    if port.way == "opened":
        return f"{port.target}{protocol} opened"
    host = f"[{port.host_ip}]" if ":" in port.host_ip else port.host_ip
    at = "" if port.host_ip in _ANY else f"{host}:"
    return f"{at}{port.published}→{port.target}{protocol}{lost}"


def network_words(network: SeenNetwork) -> list[str]:
    """What is special about it."""
    words = [network.driver] if network.driver != "bridge" else []
    if network.internal:
        words.append("internal: no way in or out")
    if not network.icc:
        words.append("its containers are kept apart")
    if network.unprotected:
        words.append("open to whoever has a route")
    if not network.known:
        words.append("missing in the firewall")
    return words


def device_text(network: SeenNetwork) -> str:
    """`br-0123456789ab`, and what is wrong with it."""
    return _with_state(network.device, network.state)


def link_text(endpoint: SeenEndpoint) -> str:
    """`eth0═veth1234567`: the pair of a link, from inside to the host, and what is wrong."""
    pair = f"{endpoint.interface}═{endpoint.link}" if endpoint.link else endpoint.interface
    return _with_state(pair, endpoint.state)


def _with_state(name: str, state: str) -> str:
    return f"{name} ({_STATES[state]})" if _STATES[state] else name
