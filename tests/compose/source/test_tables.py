"""The tables that speak of keys speak of keys that the schema has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from compose.source import canonical, cast, forms, merge, support
from compose.source.paths import PathTable
from compose.source.schema import validator

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

SCHEMA: Any = validator().schema


def patterns(node: dict[str | None, Any], before: tuple[str, ...] = ()) -> Iterator[str]:
    """Every pattern of a table."""
    for part, inner in node.items():
        if part is None:
            yield ".".join(before)
        else:
            yield from patterns(inner, (*before, part))


def step(schema: Any, part: str) -> Any:
    """The schema of a part of what a schema describes; None where there is none."""
    if "$ref" in schema:
        schema = SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]]
    if part == "[]":
        return schema.get("items")
    if part != "*":
        return schema.get("properties", {}).get(part)
    named = [inner for key, inner in schema.get("patternProperties", {}).items() if key != "^x-"]
    return named[0] if named else schema.get("additionalProperties")


@pytest.mark.parametrize("module", [canonical, cast, forms, merge, support])
def test_every_pattern_leads_to_a_key_of_the_format(module: ModuleType) -> None:
    tables = [value for value in vars(module).values() if isinstance(value, PathTable)]
    assert tables
    for table in tables:
        for pattern in patterns(table._root):
            schema: Any = SCHEMA
            for part in pattern.split("."):
                schema = step(schema, part)
                assert schema, f"{pattern} in {module.__name__}"
