"""Short forms of ports, mounts and hosts (compose-file.md 4.4), written out as their long forms.

Every function raises ValueError with a sentence about what is wrong.
"""

from __future__ import annotations

import ipaddress
import posixpath
import re
from typing import NamedTuple

PROTOCOLS = ("tcp", "udp", "sctp")
PROPAGATIONS = ("private", "rprivate", "shared", "rshared", "slave", "rslave")
WITHOUT_EFFECT = ("cached", "delegated", "consistent")  # of Docker Desktop
_DRIVE = re.compile(r"[A-Za-z]:[\\/]")
_RANGE = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?")


class ShortPort(NamedTuple):
    """`published` is text: a port, or a range as `8000-8010`; None for an ephemeral port."""

    host_ip: str | None
    published: str | None
    target: int
    protocol: str


class ShortMount(NamedTuple):
    """A mount by its short form; `unknown` are the options that mean nothing."""

    type: str
    source: str
    target: str
    read_only: bool = False
    nocopy: bool = False
    propagation: str | None = None
    selinux: str | None = None
    unknown: tuple[str, ...] = ()


class ShortDevice(NamedTuple):
    """A device of the host: its path or the name that a vendor's CDI file gives it."""

    source: str
    target: str
    permissions: str


def parse_port(text: str) -> list[ShortPort]:
    """The ports of `[[ADDRESS:]HOST[-END]:]CONTAINER[-END][/PROTOCOL]`.

    Ranges of equal length become one entry for each port. A range of the host with one port of
    the container stays one entry: any free port of the range.
    """
    rest, _, protocol = text.partition("/")
    protocol = protocol.lower() or "tcp"
    if protocol not in PROTOCOLS:
        raise ValueError(f"`{protocol}` is not one of {', '.join(PROTOCOLS)}")
    outside, _, container = rest.rpartition(":")
    host_ip, host = _host_part(outside) if outside else (None, "")
    targets = parse_port_range(container)
    if targets.start == 0:
        raise ValueError("a port of a container is between 1 and 65535")
    if not host:
        return [ShortPort(host_ip, None, target, protocol) for target in targets]
    published = parse_port_range(host)
    if len(published) == len(targets):
        pairs = zip(published, targets, strict=True)
        return [ShortPort(host_ip, str(port), target, protocol) for port, target in pairs]
    if len(targets) > 1:
        counts = f"{len(published)} and {len(targets)}"
        raise ValueError(f"`{host}` and `{container}` are of different lengths: {counts}")
    return [ShortPort(host_ip, host, targets.start, protocol)]


def _host_part(text: str) -> tuple[str | None, str]:
    """Address and port of what stands before the container's port."""
    if text.startswith("["):
        address, bracket, port = text[1:].partition("]")
        if not bracket or port[:1] not in ("", ":"):
            raise ValueError(f"`{text}` is not of the form `[ADDRESS]:PORT`")
        return parse_address(address), port.removeprefix(":")
    if text.count(":") > 1 and "." in text:
        raise ValueError(f"`{text}` has more parts than an address and a port")
    if text.count(":") > 1:
        raise ValueError(f"an IPv6 address stands in brackets: `[{text.rpartition(':')[0]}]:...`")
    address, colon, port = text.rpartition(":")
    return (parse_address(address) if colon else None), port


def parse_address(text: str) -> str:
    """An IPv4 or IPv6 address, as written."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        raise ValueError(f"`{text}` is not an IP address") from None
    return text


def parse_port_range(text: str) -> range:
    """`80` or `8000-8010`, within 0 and 65535."""
    match = _RANGE.fullmatch(text)
    if match is None:
        raise ValueError(f"`{text}` is neither a port nor a range of ports")
    first, last = int(match[1]), int(match[2] or match[1])
    if max(first, last) > 65_535:
        raise ValueError(f"`{text}` is above 65535, the highest port")
    if last < first:
        raise ValueError(f"`{text}` ends before it begins")
    return range(first, last + 1)


def parse_mount(text: str) -> ShortMount:
    """The mount of `[SOURCE:]TARGET[:OPTIONS]`.

    A source that begins with `.`, `/`, `~` or a drive of Windows is a path of the host, any other
    one is a volume.
    """
    parts = text.split(":")
    if not all(parts):
        raise ValueError(f"`{text}` has an empty part")
    if len(parts) > 2 and _DRIVE.match(text) and parts[2][0] in "/\\":  # not `v:/w:ro`
        parts[:2] = [f"{parts[0]}:{parts[1]}"]
    if len(parts) > 3:
        raise ValueError(f"`{text}` has more than three parts")
    source = parts[0] if len(parts) > 1 else ""
    target = parts[min(len(parts) - 1, 1)]
    if not target.startswith("/"):
        raise ValueError(f"`{target}` is not an absolute path in the container")
    is_path = source.startswith((".", "/", "~", "\\")) or bool(_DRIVE.match(source))
    kind = "bind" if is_path else "volume"
    options = parts[2].split(",") if len(parts) == 3 else []
    return _with_options(ShortMount(kind, source, clean(target)), options)


def _with_options(mount: ShortMount, options: list[str]) -> ShortMount:
    unknown: list[str] = []
    for option in options:
        if option in ("ro", "rw"):
            mount = mount._replace(read_only=option == "ro")
        elif option == "nocopy":
            mount = mount._replace(nocopy=True)
        elif option in ("z", "Z"):
            mount = mount._replace(selinux=option)
        elif option in PROPAGATIONS:
            mount = mount._replace(propagation=option)
        elif option not in WITHOUT_EFFECT:
            unknown.append(option)
    return mount._replace(unknown=tuple(unknown))


def parse_device(text: str) -> ShortDevice:
    """The device of `SOURCE[:TARGET[:PERMISSIONS]]`."""
    source, *rest = text.split(":")
    if not source or not all(rest) or len(rest) > 2:
        raise ValueError(f"`{text}` is not of the form `SOURCE[:TARGET[:PERMISSIONS]]`")
    target, permissions = (*rest, *(source, "rwm")[len(rest) :])
    return ShortDevice(source, target, permissions)


def clean(target: str) -> str:
    """An absolute path without `.`, `..`, and repeated or trailing slashes."""
    return posixpath.normpath("/" + target.lstrip("/"))


def parse_host(text: str) -> list[tuple[str, str]]:
    """Names and addresses of `NAME=ADDRESS[,ADDRESS...]` or `NAME:ADDRESS`."""
    separator = "=" if "=" in text else ":"
    name, found, addresses = text.partition(separator)
    if not found or not name.strip() or not addresses.strip():
        raise ValueError(f"`{text}` is not of the form `NAME=ADDRESS`")
    return host_entries(name.strip(), addresses)


def host_entries(name: str, addresses: str) -> list[tuple[str, str]]:
    """One entry for each of a comma list of addresses; `host-gateway` is accepted as one."""
    if ":" in name or "=" in name or not name:
        raise ValueError(f"`{name}` cannot be the name of a host")
    found = [
        address.strip().removeprefix("[").removesuffix("]") for address in addresses.split(",")
    ]
    return [(name, a if a == "host-gateway" else parse_address(a)) for a in found]
