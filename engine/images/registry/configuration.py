"""`registries.toml`: mirrors of registries, and how far each host is trusted.

    [registry."docker.io"]
    mirrors = ["https://mirror.lab", "http://10.0.0.5:5000/hub"]

    [registry."registry.lab:5000"]
    insecure = true
    ca = "/etc/ssl/lab.pem"
    cert = "/etc/ssl/client.cert"
    key = "/etc/ssl/client.key"

What the user's file says of a registry stands instead of what the system's says of it, and that
instead of what docker's daemon.json says.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from engine.errors import ImageProblem
from engine.images.reference import DEFAULT_DOMAIN
from engine.images.registry.docker_daemon import daemon_settings
from engine.images.registry.urls import parse_web_url
from engine.kernel.record import Record

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_NAME = "buoy/registries.toml"
_TEXTS = ("ca", "cert", "key")
_KEYS = {"mirrors", "insecure", *_TEXTS}


class RegistrySettings(Record):
    """What is configured for one host.

    mirrors   URLs that are asked first, in order: scheme, host, and what comes before the names
    insecure  its certificate is not checked, and plain http will do
    ca        PEM file of authorities trusted for it, beside the system's
    cert, key PEM files of the client certificate that it is shown
    """

    mirrors: tuple[str, ...] = ()
    insecure: bool = False
    ca: str | None = None
    cert: str | None = None
    key: str | None = None


def registry_settings(host: str) -> RegistrySettings:
    """Those of docker.io, localhost:5000. Raises ImageProblem (`registries-file`)."""
    for path in _paths():
        sections = _sections(path)
        if host in sections:
            return _settings(sections[host], f"{path}: registry.{host!r}", os.path.dirname(path))
    return _dockers(host)


def _dockers(host: str) -> RegistrySettings:
    """What a machine that runs dockerd, or has run it, knows of its registries."""
    daemon = daemon_settings()
    return RegistrySettings(
        mirrors=daemon.mirrors if host == DEFAULT_DOMAIN else (),
        insecure=daemon.is_insecure(host),
    )


def config_home() -> str:
    """Where the user's settings are."""
    return os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")


def _paths() -> Iterator[str]:
    yield f"{config_home()}/{_NAME}"
    yield f"/etc/{_NAME}"


def _sections(path: str) -> Mapping[str, Any]:
    try:
        with open(path, "rb") as file:
            import tomllib

            document = tomllib.load(file)
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError) as error:
        raise _problem(path, str(error)) from None
    sections = document.pop("registry", {})
    if document or not isinstance(sections, dict):
        named = ", ".join(document) or "registry"
        raise _problem(path, f'only tables [registry."HOST"] can stand here, not {named}')
    return sections


def _settings(section: object, where: str, directory: str) -> RegistrySettings:
    if not isinstance(section, dict):
        raise _problem(where, "it has to be a table")
    if unknown := sorted(section.keys() - _KEYS):
        known = ", ".join(sorted(_KEYS))
        raise _problem(where, f"{', '.join(unknown)} is none of its keys: {known}")
    mirrors, insecure = section.get("mirrors", []), section.get("insecure", False)
    if not isinstance(mirrors, list) or not all(map(_is_mirror, mirrors)):
        raise _problem(where, "mirrors is a list of URLs: https://HOST[:PORT][/PATH]")
    if not isinstance(insecure, bool):
        raise _problem(where, "insecure is true or false")
    files = {name: section[name] for name in _TEXTS if name in section}
    if not all(isinstance(name, str) for name in files.values()):
        raise _problem(where, "ca, cert and key are names of files")
    if ("cert" in files) != ("key" in files):
        raise _problem(where, "cert and key need each other")
    return RegistrySettings(
        mirrors=tuple(mirror.rstrip("/") for mirror in mirrors),
        insecure=insecure,
        **{name: os.path.join(directory, path) for name, path in files.items()},
    )


def _is_mirror(value: object) -> bool:
    parts = parse_web_url(value) if isinstance(value, str) else None
    return parts is not None and not (parts.query or parts.fragment or parts.auth)


def _problem(where: str, what: str) -> ImageProblem:
    return ImageProblem(what, where=where, code="registries-file")
