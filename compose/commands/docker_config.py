"""What of docker's config.json counts for our command line, too."""

from __future__ import annotations

import json

from engine import docker_config_path

DEFAULT_KEYS = "ctrl-p,ctrl-q"


def detach_keys() -> str:
    """`detachKeys`: the keys that leave a container with a terminal."""
    try:
        with open(docker_config_path(), encoding="utf-8") as file:  # noqa: PTH123
            keys = json.load(file).get("detachKeys")
    except (OSError, ValueError, AttributeError):
        return DEFAULT_KEYS
    return keys if keys and isinstance(keys, str) else DEFAULT_KEYS
