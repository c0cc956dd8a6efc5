"""Credentials as docker and podman keep them: config.json, and the helpers it names."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.errors import ImageProblem

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_HUB_KEY = "https://index.docker.io/v1/"
_HUB_HOSTS = {"docker.io", "index.docker.io", "registry-1.docker.io"}
_HELPER_TIMEOUT_S = 30.0
_TOKEN_USER = "<token>"  # what a helper says instead of a user name
_META = "x-meta-"
_NOT_FOUND = "credentials not found"


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


def find_credentials(domain: str) -> Credentials | None:
    """Those for the registry `domain` (docker.io, localhost:5000); None: there are none.

    A helper named for the registry comes before the general one, and that before what is in the
    file itself, as in docker. Raises ImageProblem where a file or a helper is broken.
    """
    for config in _configs():
        found = _from_helper(config, domain) or _from_file(config, domain)
        if found is not None:
            return found
    return None


def _configs() -> Iterator[Mapping[str, Any]]:
    if text := os.environ.get("DOCKER_AUTH_CONFIG"):
        yield _parsed(text, "DOCKER_AUTH_CONFIG")
    yield from map(_read, _paths())


def docker_config_path() -> str:
    """Where docker keeps them, and we do."""
    directory = os.environ.get("DOCKER_CONFIG") or os.path.expanduser("~/.docker")
    return f"{directory}/config.json"


def meta_headers() -> dict[str, str]:
    """Of the `HttpHeaders` of docker's config.json those that registries are sent, as the daemon
    hands them on: X-Meta-*."""
    headers = _read(docker_config_path()).get("HttpHeaders")
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


def _read(path: str) -> Mapping[str, Any]:
    try:
        with open(path, encoding="utf-8") as file:
            return _parsed(file.read(), path)
    except (FileNotFoundError, NotADirectoryError):
        return {}


def _parsed(text: str, where: str) -> Mapping[str, Any]:
    try:
        config = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ImageProblem(
            f"registry credentials cannot be read: {error}", where=where, code="credentials"
        ) from None
    return config if isinstance(config, dict) else {}


def _keys(domain: str) -> tuple[str, ...]:
    return (_HUB_KEY, *sorted(_HUB_HOSTS)) if domain in _HUB_HOSTS else (domain,)


def _from_file(config: Mapping[str, Any], domain: str) -> Credentials | None:
    wanted = set(_keys(domain))
    for key, entry in (config.get("auths") or {}).items():
        host = key.partition("://")[2] or key
        if isinstance(entry, dict) and (key in wanted or host.partition("/")[0] in wanted):
            found = _decoded(entry)
            if found is not None:
                return found
    return None


def _decoded(entry: Mapping[str, Any]) -> Credentials | None:
    user, password = entry.get("username") or "", entry.get("password") or ""
    if entry.get("auth"):
        try:
            text = base64.b64decode(entry["auth"]).decode()
        except ValueError:
            raise ImageProblem(
                "an `auth` of the registry credentials is not base64", code="credentials"
            ) from None
        user, _, password = text.partition(":")
    found = Credentials(
        user=user,
        password=password.rstrip("\0"),
        identity_token=entry.get("identitytoken") or "",
        registry_token=entry.get("registrytoken") or "",
    )
    return found if found != Credentials() else None


def _from_helper(config: Mapping[str, Any], domain: str) -> Credentials | None:
    helpers = config.get("credHelpers") or {}
    for key in _keys(domain):
        helper = helpers.get(key) or config.get("credsStore")
        if helper:
            found = _ask(str(helper), key)
            if found is not None:
                return found
    return None


def _ask(helper: str, server: str) -> Credentials | None:
    """`docker-credential-HELPER get`. Source: docker-credential-helpers, "Development"."""
    program = f"docker-credential-{os.path.basename(helper)}"
    try:
        answer = subprocess.run(
            [program, "get"],
            input=server.encode(),
            capture_output=True,
            timeout=_HELPER_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ImageProblem(
            f"{program}, named in the registry credentials, failed: {error}", code="credentials"
        ) from None
    if answer.returncode != 0:
        said = (answer.stdout + answer.stderr).decode(errors="replace").strip()
        if _NOT_FOUND in said:
            return None
        raise ImageProblem(f"{program} failed: {said}", code="credentials")
    return _from_answer(answer.stdout.decode(errors="replace"), program)


def _from_answer(text: str, program: str) -> Credentials:
    answer = _parsed(text, program)
    user, secret = str(answer.get("Username") or ""), str(answer.get("Secret") or "")
    if user == _TOKEN_USER:
        return Credentials(identity_token=secret)
    return Credentials(user=user, password=secret)
