"""Seccomp profiles that are files (Compose: services.security_opt)."""

from __future__ import annotations

_WORDS = ("unconfined", "builtin")


def profile_file(option: str) -> str | None:
    """The path in `seccomp=PATH`, as written; None for any other option."""
    for separator in "=:":
        key, found, value = option.partition(separator)
        if found and key == "seccomp" and value not in _WORDS and not value.startswith("{"):
            return value
    return None
