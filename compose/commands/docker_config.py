"""What of docker's config.json counts for our command line, too."""

from __future__ import annotations

import json
import os
from pathlib import Path

DEFAULT_KEYS = "ctrl-p,ctrl-q"


def detach_keys() -> str:
    """`detachKeys`: the keys that leave a container with a terminal."""
    directory = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker")
    try:
        keys = json.loads((directory / "config.json").read_text()).get("detachKeys")
    except (OSError, ValueError, AttributeError):
        return DEFAULT_KEYS
    return keys if keys and isinstance(keys, str) else DEFAULT_KEYS
