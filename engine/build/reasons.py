"""Why a step is run again, in words: what its record has that the last one had not."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Facts = Mapping[str, object]

PARENT_CHANGED = "what it is built on changed"
_MOST_NAMES = 3
_WORDS = {
    "owner": "--chown",
    "mode": "--chmod",
    "to": "the target",
    "unpack": "the instruction",
    "user": "USER",
    "directory": "WORKDIR",
    "network": "the network of RUN",
    "hosts": "extra_hosts",
    "script": "the heredoc",
    "inline": "the heredoc",
    "mounts": "the content of a mount",
    "platform": "the platform",
    "epoch": "SOURCE_DATE_EPOCH",
}


def why(before: Facts | None, now: Facts) -> str | None:
    """The reason that is nearest to the user; None where there is nothing to compare with.

    before, now  records of the step at the same place, as they were hashed; `before` is empty
                 where that has been removed
    """
    if before is None:
        return None
    if not before:
        return "it is in the cache no more"
    if before.get("instruction") != now.get("instruction"):
        return f"the instruction changed; it was: {before.get('instruction')}"
    return (
        _files(before, now)
        or _names(before, now, "arguments", "build argument")
        or _names(before, now, "environment", "environment variable")
        or _command(before, now)
        or _other(before, now)
        or _parent(before, now)
        or "its layer is not here any more"
    )


def _files(before: Facts, now: Facts) -> str | None:
    if before.get("content") == now.get("content"):
        return None
    if "files" not in before:  # it came from a cache elsewhere
        return "files changed"
    old, new = _mapping(before, "files"), _mapping(now, "files")
    kinds = (
        ("changed", [path for path in new if path in old and old[path] != new[path]]),
        ("is new", [path for path in new if path not in old]),
        ("is gone", [path for path in old if path not in new]),
    )
    said = [f"{_listed(paths)} {kind}" for kind, paths in kinds if paths]
    return "; ".join(said) or "files changed"


def _names(before: Facts, now: Facts, field: str, word: str) -> str | None:
    old, new = _mapping(before, field), _mapping(now, field)
    names = sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name))
    return f"{word} {_listed(names)} changed" if names else None


def _command(before: Facts, now: Facts) -> str | None:
    """Of a RUN whose line is the same: what runs it, or what the line does not show."""
    old, new = (list(map(str, _listing(record, "argv"))) for record in (before, now))
    if old[:-1] != new[:-1]:
        return "SHELL changed"
    return "the text of the command changed" if old != new else None


def _other(before: Facts, now: Facts) -> str | None:
    changed = [word for field, word in _WORDS.items() if before.get(field) != now.get(field)]
    return f"{changed[0]} changed" if changed else None


def _parent(before: Facts, now: Facts) -> str | None:
    if before.get("parent") == now.get("parent"):
        return None
    return PARENT_CHANGED


def _listed(names: list[str]) -> str:
    more = len(names) - _MOST_NAMES
    shown = ", ".join(names[:_MOST_NAMES])
    return f"{shown} and {more} more" if more > 0 else shown


def _listing(record: Facts, field: str) -> Sequence[object]:
    value = record.get(field)
    return value if isinstance(value, list) else ()


def _mapping(record: Facts, field: str) -> Mapping[str, object]:
    value = record.get(field)
    return value if isinstance(value, dict) else {}
