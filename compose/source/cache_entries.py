"""Entries of `cache_from` and `cache_to`: `type=local,src=cache`, or a reference alone."""

from __future__ import annotations

_KINDS = {"cache_from": ("local", "registry"), "cache_to": ("local", "registry", "inline")}


def parse_cache_entry(entry: str) -> dict[str, str]:
    """Its fields, with `type` in every case."""
    if "=" not in entry:
        return {"type": "registry", "ref": entry}
    return dict(part.partition("=")[::2] for part in entry.split(","))


def is_used(entry: str, key: str) -> bool:
    """Whether it is of a kind that `key` can be."""
    return parse_cache_entry(entry).get("type") in _KINDS[key]
