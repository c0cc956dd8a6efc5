"""At which addresses the content of a registry can be had: its mirrors', then its own."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlencode, urlsplit

from engine.images.reference import DEFAULT_DOMAIN
from engine.images.registry.configuration import registry_settings
from engine.images.registry.errors import HUB_HOST
from engine.images.registry.trust import Trust, find_trust
from engine.kernel.record import Record


class Endpoint(Record):
    """One address of a registry.

    prefix     what a mirror has before the names of the registry: `hub/`
    namespace  the registry that a mirror stands for; empty for a registry itself
    """

    scheme: str
    host: str
    prefix: str = ""
    namespace: str = ""

    @property
    def is_mirror(self) -> bool:
        return bool(self.namespace)

    @property
    def is_plain(self) -> bool:
        """Whether nothing that is said can be kept from others."""
        return self.scheme == "http"

    def repository(self, path: str) -> str:
        """The name that a repository has there: `hub/library/mysql`."""
        return self.prefix + path

    def url(self, path: str, what: str) -> str:
        """Of `what` (`manifests/8`) in a repository, or in none. Mirrors are told of which
        registry it is."""
        place = f"{self.repository(path)}/" if path else ""
        url = f"{self.scheme}://{self.host}/v2/{place}{what}"
        if not self.is_mirror:
            return url
        joint = "&" if "?" in what else "?"
        return f"{url}{joint}{urlencode({'ns': self.namespace})}"


def endpoints(domain: str, *, mirrors: bool) -> tuple[Endpoint, ...]:
    """Those of a registry (docker.io, localhost:5000), in the order to ask them in.

    Raises ImageProblem on settings that cannot be used.
    """
    settings = registry_settings(domain)
    found = [_mirror(url, domain) for url in settings.mirrors] if mirrors else []
    return (*found, *_own(HUB_HOST if domain == DEFAULT_DOMAIN else domain, settings.insecure))


def _own(host: str, insecure: bool) -> tuple[Endpoint, ...]:
    """Docker speaks plain http to this machine, and as a last resort to what is insecure."""
    secure, plain = Endpoint(scheme="https", host=host), Endpoint(scheme="http", host=host)
    if insecure:
        return secure, plain
    if is_loopback(host) and find_trust(host) == Trust():
        return plain, secure
    return (secure,)


def _mirror(url: str, domain: str) -> Endpoint:
    parts = urlsplit(url)
    path = parts.path.strip("/")
    return Endpoint(
        scheme=parts.scheme,
        host=parts.netloc,
        prefix=f"{path}/" if path else "",
        namespace=domain,
    )


def is_loopback(host: str) -> bool:
    """localhost, 127.0.0.0/8 and ::1, with a port or without."""
    name = urlsplit(f"//{host}").hostname or ""
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"
