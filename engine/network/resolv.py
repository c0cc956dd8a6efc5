"""The files that a container resolves names with: hosts and resolv.conf (engine.md A8, B6)."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

    from engine.containers.spec import ContainerSpec

HOST_FILE = "/etc/resolv.conf"
HOST_GATEWAY = "host-gateway"
EMBEDDED_SERVER = "127.0.0.11"
_FALLBACK_SERVERS = ("8.8.8.8", "8.8.4.4")
_LOCALHOST6 = (
    "::1\tlocalhost ip6-localhost ip6-loopback",
    "fe00::\tip6-localnet",
    "ff00::\tip6-mcastprefix",
    "ff02::1\tip6-allnodes",
    "ff02::2\tip6-allrouters",
)


class ResolvConf:
    """A parsed resolv.conf. The last `search` or `domain` wins, options add up."""

    __slots__ = ("nameservers", "options", "search")

    def __init__(
        self,
        nameservers: Sequence[str] = (),
        search: Sequence[str] = (),
        options: Sequence[str] = (),
    ) -> None:
        self.nameservers = tuple(nameservers)
        self.search = tuple(search)
        self.options = tuple(options)

    @property
    def sets_ndots(self) -> bool:
        """Whether an option fixes ndots."""
        return sets_ndots(self.options)


def sets_ndots(options: Iterable[str]) -> bool:
    """Whether one of the options is a valid `ndots:N`."""
    return any(o.startswith("ndots:") and o[len("ndots:") :].isdigit() for o in options)


def parse(text: str) -> ResolvConf:
    """A resolv.conf; what is not understood is left out."""
    nameservers: list[str] = []
    search: list[str] = []
    options: list[str] = []
    for line in text.splitlines():
        words = line.split()
        if not words or line[0] in "#;":
            continue
        if words[0] == "nameserver" and len(words) > 1:
            nameservers.append(words[1])
        elif words[0] in ("search", "domain"):
            search = words[1:]
        elif words[0] == "options":
            options += words[1:]
    return ResolvConf(nameservers, search, options)


_read: tuple[tuple[int, int, int], ResolvConf] | None = None


def read_host() -> ResolvConf:
    """The host's resolv.conf, read anew when it has changed; empty when there is none."""
    global _read
    try:
        found = os.stat(HOST_FILE)
        version = (found.st_ino, found.st_mtime_ns, found.st_size)
        if _read is None or _read[0] != version:
            with open(HOST_FILE, encoding="utf-8", errors="replace") as file:
                _read = version, parse(file.read())
    except FileNotFoundError:
        return ResolvConf()
    return _read[1]


def resolv_conf(record: Mapping[str, Any], spec: ContainerSpec) -> str:
    """The content of /etc/resolv.conf.

    record   the `network` section of the launch record
    spec     dns, dns_search and dns_options override the host's; `dns_search: .` is none
    """
    host = read_host()
    search = host.search if not spec.dns_search else tuple(s for s in spec.dns_search if s != ".")
    options = spec.dns_options or host.options
    servers = spec.dns or host.nameservers
    if not record["endpoints"]:
        return _render(_without_loopback(record, servers), search, options, "")
    if not sets_ndots(options):
        options = (*(o for o in options if not o.startswith("ndots:")), "ndots:0")
    origin = "dns of this container" if spec.dns else f"{HOST_FILE} of the host"
    note = f"# Answered by Buoy; other names by {' '.join(servers) or 'nobody'} ({origin})"
    return _render((EMBEDDED_SERVER,), search, options, note)


def _without_loopback(record: Mapping[str, Any], servers: Sequence[str]) -> Sequence[str]:
    """In another namespace than the host's, 127.0.0.53 is nobody."""
    if record["mode"] == "host":
        return servers
    return tuple(s for s in servers if not s.startswith("127.")) or _FALLBACK_SERVERS


def _render(
    servers: Sequence[str], search: Sequence[str], options: Sequence[str], note: str
) -> str:
    lines = [f"nameserver {server}" for server in servers]
    if search:
        lines.append(f"search {' '.join(search)}")
    if options:
        lines.append(f"options {' '.join(options)}")
    return "".join(f"{line}\n" for line in (*lines, *([note] if note else ())))


def hosts_file(record: Mapping[str, Any], extra_hosts: Sequence[tuple[str, str]]) -> str:
    """The content of /etc/hosts.

    record        the `network` section of the launch record
    extra_hosts   (name, address); `host-gateway` is an address of the host that it can reach
    """
    if record["mode"] == "host" and not extra_hosts:
        with open("/etc/hosts", encoding="utf-8", errors="replace") as file:
            return file.read()
    lines = ["127.0.0.1\tlocalhost"]
    if os.path.exists("/proc/net/if_inet6"):
        lines += _LOCALHOST6
    gateway = _host_gateway(record)
    for name, address in extra_hosts:
        shown = gateway if address == HOST_GATEWAY else address.strip("[]")
        lines.append(f"{shown}\t{name}")
    own = _own_names(record["hostname"], record["domainname"])
    lines += [
        f"{place['address']}\t{own}"
        for endpoint in record["endpoints"]
        for place in endpoint["addresses"]
    ]
    return "".join(f"{line}\n" for line in lines)


def _host_gateway(record: Mapping[str, Any]) -> str:
    ranked = sorted(record["endpoints"], key=lambda endpoint: endpoint["rank"])
    return ranked[0]["addresses"][0]["gateway"] if ranked else "127.0.0.1"


def _own_names(hostname: str, domainname: str | None) -> str:
    full = f"{hostname}.{domainname}" if domainname else hostname
    short, dot, _ = full.partition(".")
    return f"{full} {short}" if dot else full
