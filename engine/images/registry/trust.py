"""TLS with one host: which authorities are believed, and which certificate it is shown.

Beside `registries.toml`, the directories that docker and podman have for it are read:
`certs.d/HOST[:PORT]/` with *.crt (authorities), and *.cert with *.key (ours).
Source: Docker docs, "Verify repository client with certificates"; containers-certs.d(5).
"""

from __future__ import annotations

import contextlib
import os
import ssl
from typing import TYPE_CHECKING

from engine.errors import ImageProblem
from engine.images.reference import DEFAULT_DOMAIN
from engine.images.registry.configuration import config_home, registry_settings
from engine.images.registry.errors import HUB_HOST
from engine.kernel.record import Record

if TYPE_CHECKING:
    from collections.abc import Iterator

_SYSTEM = ("/etc/docker/certs.d", "/etc/containers/certs.d")


class Trust(Record):
    """How one host is talked to over TLS. Files of PEM.

    authorities   beside those of the system
    certificates  of ours, each with its key
    """

    verify: bool = True
    authorities: tuple[str, ...] = ()
    certificates: tuple[tuple[str, str], ...] = ()


def find_trust(host: str) -> Trust:
    """What is configured for `host` (registry.lab:5000). Raises ImageProblem."""
    settings = registry_settings(DEFAULT_DOMAIN if host == HUB_HOST else host)
    authorities = [settings.ca] if settings.ca else []
    certificates = [(settings.cert, settings.key)] if settings.cert and settings.key else []
    for directory in _directories(host):
        names = sorted(os.listdir(directory))
        authorities += [f"{directory}/{name}" for name in names if name.endswith(".crt")]
        certificates += [
            (f"{directory}/{name}", _key(directory, name))
            for name in names
            if name.endswith(".cert")
        ]
    return Trust(
        verify=not settings.insecure,
        authorities=tuple(authorities),
        certificates=tuple(certificates),
    )


def tls_context(trust: Trust) -> ssl.SSLContext:
    """Raises ImageProblem (`registry-tls`) on files that cannot be used."""
    context = ssl.create_default_context()
    if not trust.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    for path in trust.authorities:
        with _naming(path):
            context.load_verify_locations(path)
    for certificate, key in trust.certificates:
        with _naming(certificate):
            context.load_cert_chain(certificate, key)
    return context


def _directories(host: str) -> Iterator[str]:
    home = config_home()
    for base in (f"{home}/docker/certs.d", f"{home}/containers/certs.d", *_SYSTEM):
        if os.path.isdir(f"{base}/{host}"):
            yield f"{base}/{host}"


def _key(directory: str, certificate: str) -> str:
    path = f"{directory}/{certificate.removesuffix('.cert')}.key"
    if not os.path.exists(path):
        raise ImageProblem(
            f"{directory}/{certificate} is a client certificate without its key, {path}",
            hint="authorities have names that end in .crt",
            code="registry-tls",
        )
    return path


@contextlib.contextmanager
def _naming(path: str) -> Iterator[None]:
    """OpenSSL does not say which file it complains of."""
    try:
        yield
    except OSError as error:
        raise ImageProblem(
            f"it cannot be used for TLS: {error.strerror or error}", where=path, code="registry-tls"
        ) from None
