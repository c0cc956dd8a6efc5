"""Entries of `cache_from` and `cache_to`: `type=local,src=cache`, or a reference alone."""

from __future__ import annotations

# By type, the field that says where it is: one that is `inline` is in the image.
_PLACES = {
    "cache_from": {"local": "src", "registry": "ref"},
    "cache_to": {"local": "dest", "registry": "ref", "inline": "type"},
}


def parse_cache_entry(entry: str) -> dict[str, str]:
    """Its fields, with `type` in every case."""
    if "=" not in entry:
        return {"type": "registry", "ref": entry}
    return dict(part.partition("=")[::2] for part in entry.split(","))


def is_used(entry: str, key: str) -> bool:
    """Whether it is of a kind that `key` can be, and says where it is."""
    fields = parse_cache_entry(entry)
    return bool(fields.get(_PLACES[key].get(fields.get("type", ""), "")))
