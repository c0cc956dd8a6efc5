"""Records as JSON text and back, fast to read: what a loaded project is cached as.

JSON rather than pickle: reading it runs nothing, whoever wrote it.
"""

from __future__ import annotations

import json

from compose import model
from compose.model.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_KIND = "\0record"  # a key that no file can hold beside the names of fields
_AS_WRITTEN = ("extensions", "others")  # fields that keep their lists
_classes: dict[str, type[Record]] = {}  # those met so far: most projects need few


def encode(record: Record) -> str:
    """One line of JSON. Values at their defaults are left out."""
    return json.dumps(_plain(record), separators=(",", ":"))


def _plain(value: Any) -> Any:
    if isinstance(value, Record):
        fields = {name: _plain(inner) for name, inner in value.given().items()}
        return {_KIND: type(value).__name__, **fields}
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, tuple | list) else value


def decode(text: str) -> Any:
    """The record of a text from `encode`. Raises ValueError, TypeError, KeyError or AttributeError
    for others."""
    return json.loads(text, object_hook=_restored)


def _restored(values: dict[str, Any]) -> Any:
    kind = values.pop(_KIND, None)
    if kind is None:
        return values
    for name, value in values.items():
        if type(value) is list:
            values[name] = _tuple(value)
        elif type(value) is dict and name not in _AS_WRITTEN:
            values[name] = {key: _tuple(v) if type(v) is list else v for key, v in value.items()}
    if kind not in _classes:
        _classes[kind] = getattr(model, kind)
    return _classes[kind](**values)


def _tuple(items: list[Any]) -> tuple[Any, ...]:
    return tuple(_tuple(item) if type(item) is list else item for item in items)
