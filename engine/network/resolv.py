"""resolv.conf: that of the host, and those of containers (engine.md B6.1, B6.9, B6.10)."""

from __future__ import annotations

import os
import socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

    from engine.containers.spec import ContainerSpec

HOST_FILE = "/etc/resolv.conf"
RESOLVED_FILE = "/run/systemd/resolve/resolv.conf"  # who is behind systemd-resolved's 127.0.0.53
EMBEDDED_SERVER = "127.0.0.11"
_LOCALHOST = "127.0.0.1"
_FALLBACK_SERVERS = ("8.8.8.8", "8.8.4.4")
_FALLBACK_SERVERS6 = ("2001:4860:4860::8888", "2001:4860:4860::8844")


class ResolvConf:
    """A parsed resolv.conf. The last `search` or `domain` wins, options add up.

    nameservers  addresses, those of IPv6 perhaps with a zone (`fe80::1%eth0`)
    others       lines with other directives, as they were
    """

    __slots__ = ("nameservers", "options", "others", "search")

    def __init__(
        self,
        nameservers: Sequence[str] = (),
        search: Sequence[str] = (),
        options: Sequence[str] = (),
        others: Sequence[str] = (),
    ) -> None:
        self.nameservers = tuple(nameservers)
        self.search = tuple(search)
        self.options = tuple(options)
        self.others = tuple(others)

    @property
    def sets_ndots(self) -> bool:
        """Whether an option fixes ndots."""
        return sets_ndots(self.options)

    @property
    def upstreams(self) -> tuple[str, ...]:
        """Who is asked: a file that names nobody means this machine (resolv.conf(5))."""
        return self.nameservers or (_LOCALHOST,)


def sets_ndots(options: Iterable[str]) -> bool:
    """Whether one of the options is a valid `ndots:N`."""
    return any(o.startswith("ndots:") and o[len("ndots:") :].isdigit() for o in options)


def parse(text: str) -> ResolvConf:
    """A resolv.conf; a name server that is no address is left out, as the C library does."""
    nameservers: list[str] = []
    search: list[str] = []
    options: list[str] = []
    others: list[str] = []
    for line in text.splitlines():
        words = line.split()
        if not words or line[0] in "#;":
            continue
        if words[0] == "nameserver":
            nameservers += filter(_is_address, words[1:2])
        elif words[0] in ("search", "domain"):
            search = words[1:]
        elif words[0] == "options":
            options += words[1:]
        else:
            others.append(line.strip())
    return ResolvConf(nameservers, search, options, others)


def _is_address(word: str) -> bool:
    family = socket.AF_INET6 if ":" in word else socket.AF_INET
    try:
        socket.inet_pton(family, word.partition("%")[0])
    except (OSError, ValueError):
        return False
    return word.isascii() and (":" in word or "%" not in word)


_read: tuple[tuple[int, int, int], ResolvConf] | None = None


def read_host() -> ResolvConf:
    """The host's resolv.conf, read anew when it has changed; empty when there is none.

    One stat when it has not: cheap enough to be asked before every query that is forwarded.
    """
    global _read
    try:
        found = os.stat(HOST_FILE)
        version = (found.st_ino, found.st_mtime_ns, found.st_size)
        if _read is None or _read[0] != version:
            with open(HOST_FILE, encoding="utf-8", errors="replace") as file:
                _read = version, parse(file.read())
    except FileNotFoundError:
        return ResolvConf()
    except OSError:  # out of descriptors, or between two symbolic links
        return _read[1] if _read else ResolvConf()
    return _read[1]


def read_behind_resolved() -> ResolvConf:
    """The servers that systemd-resolved asks; empty where it does not run."""
    try:
        with open(RESOLVED_FILE, encoding="utf-8", errors="replace") as file:
            return parse(file.read())
    except FileNotFoundError:
        return ResolvConf()


def resolv_conf(record: Mapping[str, Any], spec: ContainerSpec) -> str:
    """The content of /etc/resolv.conf.

    record   the `network` section of the launch record
    spec     dns, dns_search and dns_options override the host's; `dns_search: .` is none
    """
    host = read_host()
    search = host.search if not spec.dns_search else tuple(s for s in spec.dns_search if s != ".")
    options = spec.dns_options or host.options
    servers = spec.dns or host.nameservers
    if not record["endpoints"] or not record["dns"]["embedded"]:
        usable = spec.dns or _usable(record, servers)
        return _render(usable, search, options, *host.others)
    if not sets_ndots(options):
        options = (*(o for o in options if not o.startswith("ndots:")), "ndots:0")
    origin = "dns of this container" if spec.dns else f"{HOST_FILE} of the host"
    note = f"# Answered by Buoy; other names by {' '.join(servers) or 'nobody'} ({origin})"
    return _render((EMBEDDED_SERVER,), search, options, *host.others, note)


def _usable(record: Mapping[str, Any], servers: Sequence[str]) -> Sequence[str]:
    """Those of the host that can be asked from another namespace: 127.0.0.53 is nobody there, so
    who is behind it is asked, and those of IPv6 are for who has it."""
    if record["mode"] == "host":
        return servers
    behind = read_behind_resolved().nameservers if "127.0.0.53" in servers else ()
    places = [place["address"] for end in record["endpoints"] for place in end["addresses"]]
    has_ipv6 = any(":" in address for address in places)
    candidates = [one for one in (*servers, *behind) if not _is_loopback(one)]
    found = [one for one in candidates if has_ipv6 or ":" not in one]
    return found or (*_FALLBACK_SERVERS, *(_FALLBACK_SERVERS6 if has_ipv6 else ()))


def _is_loopback(server: str) -> bool:
    return server.startswith("127.") or server == "::1"


def _render(
    servers: Sequence[str], search: Sequence[str], options: Sequence[str], *others: str
) -> str:
    lines = [f"nameserver {server}" for server in servers]
    if search:
        lines.append(f"search {' '.join(search)}")
    if options:
        lines.append(f"options {' '.join(options)}")
    return "".join(f"{line}\n" for line in (*lines, *others))
