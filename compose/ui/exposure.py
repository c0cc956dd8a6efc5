"""From where published ports can be reached, in words."""

from __future__ import annotations

from engine import ways_to

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from typing import Any

    from engine import Container, PublishedPort, Way

HOST = "this host only"
_WORDS = {"everywhere": "everywhere", "routed": "this LAN", "lan": "this LAN"}
_ROUTED = "and where that is routed"
_LOCAL = ("0.0.0.0", "::", "127.0.0.1", "::1")
_SCHEMES = {80: "http", 8080: "http", 443: "https", 8443: "https"}
_LINK_LOCAL = "fe80:"  # named where a link has no other address
_MOST_PORTS = 4  # of a service on one line


def format_ways(ways: Sequence[Way]) -> str:
    """`this LAN (eth0 192.168.1.5), and where that is routed`; without a way, the host alone."""
    if not ways:
        return HOST
    named = {way.link for way in ways if not way.address.startswith(_LINK_LOCAL)}
    groups: dict[str, list[str]] = {}
    for way in ways:
        if way.link in named and way.address.startswith(_LINK_LOCAL):
            continue
        groups.setdefault(_WORDS[way.scope], []).append(f"{way.link} {way.address}")
    words = [f"{scope} ({', '.join(found)})" for scope, found in groups.items()]
    if ways[0].scope == "routed":
        words.append(_ROUTED)
    return ", ".join(words)


def format_exposure(container: Container, ways: Iterable[Way]) -> str:
    """Of one container, for a column; where its ports differ, each by its number. What was plugged
    in by hand leads to all that it listens on."""
    groups = _grouped(container.ports, tuple(ways))
    words = [
        f"{', '.join(str(port.published) for port in ports)}: {format_ways(found)}"
        for found, ports in groups.items()
    ]
    if len(groups) == 1:
        words = [format_ways(*groups)]
    for plugged in container.plugged:
        addresses = ", ".join(one.partition("/")[0] for one in plugged.addresses)
        words.append(f"all ports: by {plugged.device} ({addresses or 'no address'})")
    return "; ".join(words)


def exposure_fields(container: Container, ways: Iterable[Way]) -> list[dict[str, Any]]:
    """The same for programs: `Scope` is that of the widest way, or `host`."""
    ways, fields = tuple(ways), []
    for port in container.ports:
        found = ways_to(port.host_ip, ways)
        fields.append(
            {
                "URL": port.host_ip,
                "PublishedPort": port.published,
                "Protocol": port.protocol,
                "Scope": found[0].scope if found else "host",
                "Ways": [
                    {"Scope": way.scope, "Link": way.link, "Address": way.address} for way in found
                ],
            }
        )
    return fields


def exposure_lines(
    service: str, ports: Iterable[PublishedPort], protocols: Mapping[int, str], ways: Iterable[Way]
) -> Iterator[str]:
    """`web: http://localhost:8080 — this host only`: a line for the ports of a service that are
    reached alike.

    protocols  what is spoken on a port of the container, where the file says so
    """
    for found, alike in _grouped(ports, tuple(ways)).items():
        urls = [_url(port, protocols) for port in alike]
        shown = ", ".join(urls[:_MOST_PORTS])
        if len(urls) > _MOST_PORTS:
            shown += f" and {len(urls) - _MOST_PORTS} more"
        yield f"{service}: {shown} — {format_ways(found)}"


def _grouped(
    ports: Iterable[PublishedPort], ways: tuple[Way, ...]
) -> dict[tuple[Way, ...], list[PublishedPort]]:
    """Ports by the ways to them; one that is bound to several addresses is there once."""
    bindings: dict[tuple[str, int], list[PublishedPort]] = {}
    for port in ports:
        bindings.setdefault((port.protocol, port.published), []).append(port)
    groups: dict[tuple[Way, ...], list[PublishedPort]] = {}
    for bound in bindings.values():
        reached = {way for port in bound for way in ways_to(port.host_ip, ways)}
        found = tuple(way for way in ways if way in reached)
        groups.setdefault(found, []).append(bound[0])
    return groups


def _url(port: PublishedPort, protocols: Mapping[int, str]) -> str:
    host = "localhost" if port.host_ip in _LOCAL else port.host_ip
    place = f"{f'[{host}]' if ':' in host else host}:{port.published}"
    if port.protocol != "tcp":
        return f"{place}/{port.protocol}"
    scheme = protocols.get(port.target, _SCHEMES.get(port.target, ""))
    return f"{scheme}://{place}" if scheme in _SCHEMES.values() else place
