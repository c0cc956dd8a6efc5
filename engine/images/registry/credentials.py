"""Credentials as docker and podman keep them: config.json, and the helpers it names."""

from __future__ import annotations

import base64
import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.errors import ImageProblem
from engine.images.registry.credential_helpers import TOKEN_USER, get_by_helper, helper_of
from engine.images.registry.docker_config import docker_config_path

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_HUB_KEY = "https://index.docker.io/v1/"
HUB_HOSTS = {"docker.io", "index.docker.io", "registry-1.docker.io"}
_META = "x-meta-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What a registry is shown: user and password, or a token got from an earlier login."""

    user: str = ""
    password: str = ""
    identity_token: str = ""  # exchanged for access tokens (OAuth2 refresh token)
    registry_token: str = ""  # shown as it is

    @property
    def basic(self) -> str:
        """Value of an Authorization header."""
        return "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()


def find_credentials(domain: str, path: str = "") -> Credentials | None:
    """Those for the registry `domain` (docker.io, localhost:5000); None: there are none.

    path  of the repository: podman keeps credentials for a part of a registry, too

    A helper named for the registry comes before the general one, and that before what is in the
    file itself, as in docker. Raises ImageProblem where a file or a helper is broken.
    """
    for config in _configs():
        found = _from_helper(config, domain) or _from_file(config, domain, path)
        if found is not None:
            return found
    return None


def keys_of(domain: str) -> tuple[str, ...]:
    """What a registry may be called in the file; the first is the usual one."""
    return (_HUB_KEY, *sorted(HUB_HOSTS)) if domain in HUB_HOSTS else (domain,)


def is_key_of(key: str, domain: str) -> bool:
    """Whether a key is for a whole registry: its host, or the URL of its interface."""
    scheme, _, rest = key.rpartition("://")
    host, _, place = rest.partition("/")
    whole = bool(scheme) or place.strip("/") in ("", "v1", "v2")
    return key in keys_of(domain) or (whole and host in keys_of(domain))


def _configs() -> Iterator[Mapping[str, Any]]:
    if text := os.environ.get("DOCKER_AUTH_CONFIG"):
        yield _parse(text, "DOCKER_AUTH_CONFIG")
    yield from map(read_config, _paths())


def meta_headers() -> dict[str, str]:
    """Of the `HttpHeaders` of docker's config.json those that registries are sent, as the daemon
    hands them on: X-Meta-*."""
    headers = read_config(docker_config_path()).get("HttpHeaders")
    if not isinstance(headers, dict):
        return {}
    return {
        str(name): str(value)
        for name, value in headers.items()
        if str(name).lower().startswith(_META)
    }


def _paths() -> Iterator[str]:
    yield docker_config_path()
    if path := os.environ.get("REGISTRY_AUTH_FILE"):
        yield path
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    yield (
        f"{runtime}/containers/auth.json" if runtime else f"/run/containers/{os.getuid()}/auth.json"
    )


def read_config(path: str) -> dict[str, Any]:
    """The JSON object of a file of credentials; empty where that is not there, or empty.

    Raises ImageProblem.
    """
    try:
        with open(path, "rb") as file:
            data = file.read()
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise _unreadable(str(error.strerror), path) from None
    return _parse(data, path) if data.strip() else {}


def _parse(data: bytes | str, where: str) -> dict[str, Any]:
    try:
        config = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise _unreadable(str(error), where) from None
    if not isinstance(config, dict):
        return {}
    for key in ("auths", "credHelpers"):
        if not isinstance(config.get(key) or {}, dict):
            raise _unreadable(f"`{key}` is not an object", where)
    return config


def _unreadable(why: str, where: str) -> ImageProblem:
    what = f"registry credentials cannot be read: {why}"
    return ImageProblem(what, where=where, code="credentials")


def _from_file(config: Mapping[str, Any], domain: str, path: str) -> Credentials | None:
    """The closest entry: docker.io/library/mysql, docker.io/library, then the registry's."""
    entries = config.get("auths") or {}
    place = f"{domain}/{path}" if path else ""
    while "/" in place:
        if found := _decoded(entries.get(place)):
            return found
        place = place.rpartition("/")[0]
    whole = (entry for key, entry in entries.items() if is_key_of(key, domain))
    return next(filter(None, map(_decoded, whole)), None)


def _decoded(entry: object) -> Credentials | None:
    if not isinstance(entry, dict):
        return None
    user, password = _text(entry, "username"), _text(entry, "password")
    if entry.get("auth"):
        try:
            text = base64.b64decode(entry["auth"]).decode()
        except (ValueError, TypeError):
            raise ImageProblem(
                "an `auth` of the registry credentials is not base64", code="credentials"
            ) from None
        user, _, password = text.partition(":")
    found = Credentials(
        user=user,
        password=password.rstrip("\0"),
        identity_token=_text(entry, "identitytoken"),
        registry_token=_text(entry, "registrytoken"),
    )
    return found if found != Credentials() else None


def _text(entry: Mapping[str, Any], key: str) -> str:
    return str(entry.get(key) or "")


def _from_helper(config: Mapping[str, Any], domain: str) -> Credentials | None:
    for key in keys_of(domain):
        helper = helper_of(config, key)
        answer = get_by_helper(helper, key) if helper else None
        if answer is None:
            continue
        user, secret = answer
        if user == TOKEN_USER:
            return Credentials(identity_token=secret)
        return Credentials(user=user, password=secret)
    return None
