"""/etc/hosts of a container, and the names of the host in its DNS (engine.md A8.3 to A8.5)."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

HOST_GATEWAY = "host-gateway"
HOST_NAMES = ("host.docker.internal", "gateway.docker.internal")  # on Docker Desktop, and here

_LOCALHOST = "127.0.0.1"
_LOCALHOST6 = (
    "::1\tlocalhost ip6-localhost ip6-loopback",
    "fe00::\tip6-localnet",
    "ff00::\tip6-mcastprefix",
    "ff02::1\tip6-allnodes",
    "ff02::2\tip6-allrouters",
)
_NO_IPV6 = ("net.ipv6.conf.all.disable_ipv6", "net.ipv6.conf.lo.disable_ipv6")


def has_ipv6_loopback(sysctls: Mapping[str, object]) -> bool:
    """Whether ::1 will be there in the namespace of a container with such sysctls."""
    disabled = any(str(sysctls.get(name, "0")) == "1" for name in _NO_IPV6)
    return os.path.exists("/proc/net/if_inet6") and not disabled


def hosts_file(record: Mapping[str, Any]) -> str:
    """The content of /etc/hosts, from the `network` section of the launch record.

    Of its `extra_hosts` (name, address), `host-gateway` is the host's addresses on a network
    that the container is on.
    """
    extra_hosts = record["extra_hosts"]
    if record["mode"] == "host" and not extra_hosts:
        with open("/etc/hosts", encoding="utf-8", errors="replace") as file:
            return file.read()
    lines = ["127.0.0.1\tlocalhost", *(_LOCALHOST6 if record["ipv6_loopback"] else ())]
    for name, address in extra_hosts:
        found = _addresses(record, address)
        lines += [f"{one}\t{name}" for one in found]
        if not found:
            lines.append(f"# {name}: this container has no way to the host")
    lines += record["linked"]
    return "".join(f"{line}\n" for line in [*lines, *own_lines(record)])


def own_lines(record: Mapping[str, Any]) -> list[str]:
    """Those that lead to the container itself: one for each of its addresses."""
    own = _own_names(record["hostname"], record["domainname"])
    return [
        f"{place['address']}\t{own}"
        for endpoint in record["endpoints"]
        for place in endpoint["addresses"]
    ]


def host_names(record: Mapping[str, Any]) -> dict[str, list[str]]:
    """What the DNS of a container says of HOST_NAMES: the host, or what its extra_hosts say.

    They are not in /etc/hosts, where they would go before a service or alias of that name.
    """
    given: dict[str, list[str]] = {}
    for name, address in record["extra_hosts"]:
        given.setdefault(name.lower(), []).extend(_addresses(record, address))
    host = _addresses(record, HOST_GATEWAY)
    found = {name: given.get(name, host) for name in HOST_NAMES}
    return {name: addresses for name, addresses in found.items() if addresses}


def _addresses(record: Mapping[str, Any], address: str) -> list[str]:
    if address != HOST_GATEWAY:
        return [address.strip("[]")]
    if record["mode"] == "host":
        return [_LOCALHOST]
    for endpoint in sorted(record["endpoints"], key=lambda endpoint: endpoint["rank"]):
        found = [p["gateway"] for p in endpoint["addresses"] if p["gateway_is_host"]]
        if found:
            return found
    return []


def _own_names(hostname: str, domainname: str | None) -> str:
    full = f"{hostname}.{domainname}" if domainname else hostname
    short, dot, _ = full.partition(".")
    return f"{full} {short}" if dot else full
