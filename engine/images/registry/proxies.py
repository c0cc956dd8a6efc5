"""HTTP_PROXY, HTTPS_PROXY and NO_PROXY, as programs in Go read them.

Source: golang.org/x/net/http/httpproxy; Docker docs, "Use a proxy server with the Docker CLI".
"""

from __future__ import annotations

import ipaddress
import os
from urllib.parse import urlsplit

from engine.errors import ImageProblem
from engine.images.registry.urls import parse_web_url


def find_proxy(scheme: str, host: str) -> str | None:
    """The URL of the proxy for requests to `scheme`://`host`; None: straight there.

    host  with its port where it has one: registry.lab:5000, [::1]:5000
    Raises ImageProblem (`proxy`) on one of a kind that cannot be used.
    """
    proxy = _variable(f"{scheme}_proxy")
    if not proxy or is_excepted(host, scheme, _variable("no_proxy")):
        return None
    url = proxy if "://" in proxy else f"http://{proxy}"
    if parse_web_url(url) is None:  # what it is may have a password in it
        raise ImageProblem(
            f"{scheme.upper()}_PROXY is no address of http or https",
            hint="it is http://HOST:PORT",
            code="proxy",
        )
    return url


def is_excepted(host: str, scheme: str, exceptions: str) -> bool:
    """Whether no proxy is used: for this machine itself, and for what `exceptions` lists.

    exceptions  of addresses, blocks of them (10.0.0.0/8), domains with all below them (lab),
                or only those (.lab), each with a port if wanted; `*` is everything
    """
    parts = urlsplit(f"//{host}")
    name = (parts.hostname or "").rstrip(".")
    port = parts.port or {"http": 80, "https": 443}[scheme]
    address = _address(name)
    if name == "localhost" or (address is not None and address.is_loopback):
        return True
    entries = (entry.strip().lower() for entry in exceptions.split(","))
    return any(entry == "*" or _covers(entry, name, port, address) for entry in entries if entry)


def _covers(
    entry: str,
    name: str,
    port: int,
    address: ipaddress.IPv4Address | ipaddress.IPv6Address | None,
) -> bool:
    if "/" in entry:
        try:
            return address is not None and address in ipaddress.ip_network(entry, strict=False)
        except ValueError:
            return False
    alone = _address(entry.strip("[]"))  # an IPv6 address has colons of its own
    text, _, wanted_port = (entry, "", "") if alone is not None else entry.rpartition(":")
    if alone is None and not wanted_port.isdigit():
        text, wanted_port = entry, ""
    if wanted_port and int(wanted_port) != port:
        return False
    wanted = alone or _address(text.strip("[]"))
    if wanted is not None:
        return wanted == address
    domain = text.removeprefix("*")
    return name.endswith(domain) if domain.startswith(".") else _is_below(name, domain)


def _is_below(name: str, domain: str) -> bool:
    return name == domain or name.endswith(f".{domain}")


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _variable(name: str) -> str:
    return os.environ.get(name.upper()) or os.environ.get(name) or ""
