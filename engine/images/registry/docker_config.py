"""Where docker's command keeps what is set and who is logged in."""

from __future__ import annotations

import os


def docker_config_path() -> str:
    """That of config.json, below DOCKER_CONFIG or the home directory; it need not be there."""
    directory = os.environ.get("DOCKER_CONFIG") or os.path.expanduser("~/.docker")
    return f"{directory}/config.json"
