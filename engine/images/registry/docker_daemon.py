"""What docker's daemon.json says of registries.

Source: dockerd(8), `registry-mirrors` and `insecure-registries`.
"""

from __future__ import annotations

import ipaddress
import json
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from engine.errors import ImageProblem
from engine.images.registry.urls import parse_web_url
from engine.kernel.record import Record

if TYPE_CHECKING:
    from typing import Any

PATH = "/etc/docker/daemon.json"


class DaemonSettings(Record):
    """What concerns us of it.

    mirrors   URLs, of Docker Hub alone
    insecure  hosts, with a port or without, and blocks of addresses: 10.0.0.0/8
    """

    mirrors: tuple[str, ...] = ()
    insecure: tuple[str, ...] = ()

    def is_insecure(self, host: str) -> bool:
        """Whether `host` (registry.lab:5000) may be talked to without a certificate we trust."""
        return any(_covers(entry, host) for entry in self.insecure)


def daemon_settings() -> DaemonSettings:
    """Raises ImageProblem (`registries-file`)."""
    try:
        with open(PATH, encoding="utf-8") as file:
            document = json.load(file)
    except (FileNotFoundError, NotADirectoryError):
        return DaemonSettings()
    except (OSError, ValueError, RecursionError) as error:
        raise _problem(str(error)) from None
    mirrors = _texts(document, "registry-mirrors")
    if not all(map(parse_web_url, mirrors)):
        raise _problem("registry-mirrors is a list of URLs: https://HOST[:PORT]")
    return DaemonSettings(
        mirrors=tuple(url.rstrip("/") for url in mirrors),
        insecure=_texts(document, "insecure-registries"),
    )


def _problem(what: str) -> ImageProblem:
    return ImageProblem(what, where=PATH, code="registries-file")


def _texts(document: Any, key: str) -> tuple[str, ...]:
    listed = document.get(key) if isinstance(document, dict) else None
    return tuple(map(str, listed)) if isinstance(listed, list) else ()


def _covers(entry: str, host: str) -> bool:
    if entry == host:
        return True
    try:
        address = ipaddress.ip_address(urlsplit(f"//{host}").hostname or "")
        return address in ipaddress.ip_network(entry)
    except ValueError:  # one of them is a name
        return False
