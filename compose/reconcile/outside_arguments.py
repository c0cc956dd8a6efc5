"""Build arguments that are not of the project: SOURCE_DATE_EPOCH of the environment, and the
proxies of docker's config.json (docs.docker.com, "Use a proxy server with the Docker CLI")."""

from __future__ import annotations

import os

from engine import docker_config_path
from engine.errors import Problem

_PROXIES = {
    "httpProxy": "HTTP_PROXY",
    "httpsProxy": "HTTPS_PROXY",
    "noProxy": "NO_PROXY",
    "ftpProxy": "FTP_PROXY",
    "allProxy": "ALL_PROXY",
}


def outside_arguments() -> dict[str, str]:
    """By name; those of the project and the command line win. Raises Problem."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    return {**({"SOURCE_DATE_EPOCH": epoch} if epoch else {}), **_proxies()}


def _proxies() -> dict[str, str]:
    path = docker_config_path()
    if not os.path.exists(path):  # noqa: PTH110 - pathlib costs 17 ms
        return {}
    import json

    try:
        with open(path, encoding="utf-8") as file:  # noqa: PTH123
            given = (json.load(file).get("proxies") or {}).get("default") or {}
        found = {name: given[key] for key, name in _PROXIES.items() if given.get(key)}
    except (OSError, ValueError, AttributeError) as error:
        raise Problem(f"{path} cannot be read: {error}", code="docker-config") from None
    return {each: value for name, value in found.items() for each in (name, name.lower())}
