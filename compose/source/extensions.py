"""The `x-` keys of a tree: which keys are extensions, and not names that somebody chose, is what
the schema says."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from compose.source.schema import validator
from compose.source.tree import Map, Seq, plain

if TYPE_CHECKING:
    from compose.source.tree import Path, Value

_EXTENSION = "^x-"
Schema = dict[str, Any]


def extensions_of(value: Value, path: Path) -> dict[str, Any]:
    """The extensions of the mapping at `path`, and below their keys those of what is inside it.

    Items of lists are below `[0]`, `[1]` ...: `{"x-a": 1, "ports": {"[0]": {"x-b": 2}}}`.
    """
    schema: Any = validator().schema
    for part in path:
        schema = _inner(schema, part)
    return _found(value, schema)


def _found(value: Value, schema: Schema) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if isinstance(value, Map):
        extensible = _EXTENSION in _resolved(schema).get("patternProperties", {})
        for key, inner in value.items():
            if extensible and key.startswith("x-"):
                found[key] = plain(inner)
            elif isinstance(inner, Map | Seq) and (below := _found(inner, _inner(schema, key))):
                found[key] = below
    elif isinstance(value, Seq):
        for index, inner in enumerate(value):
            if below := _found(inner, _inner(schema, index)):
                found[f"[{index}]"] = below
    return found


def _resolved(schema: Schema) -> Schema:
    reference = schema.get("$ref")
    if reference is None:
        return schema
    whole: Any = validator().schema
    resolved: Schema = whole["$defs"][reference.rpartition("/")[2]]
    return resolved


def _inner(schema: Schema, part: str | int) -> Schema:
    """What the schema says of a key or an item; empty where that is nothing."""
    schema = _resolved(schema)
    if isinstance(part, int):
        found = schema.get("items")
    elif part in schema.get("properties", {}):
        found = schema["properties"][part]
    else:
        patterns = schema.get("patternProperties", {}).items()
        matching = (inner for pattern, inner in patterns if re.search(pattern, part))
        found = next(matching, schema.get("additionalProperties"))
    return found if isinstance(found, dict) else {}
