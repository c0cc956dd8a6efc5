"""Our schema of the whole format."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator

if TYPE_CHECKING:
    from collections.abc import Iterator

SCHEMA: dict[str, Any] = json.loads(
    resources.files("schemas").joinpath("compose.schema.json").read_text("utf-8")
)
UPSTREAM = Path(__file__).parents[3] / "shared/spec/compose-spec.schema.json"


def described(schema: dict[str, Any], path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema that stands for a key."""
    for keyword in ("properties", "patternProperties", "$defs"):
        for key, inner in schema.get(keyword, {}).items():
            yield f"{path}/{key}", inner
            yield from described(inner, f"{path}/{key}")
    for keyword in ("items", "additionalProperties"):
        inner = schema.get(keyword)
        if isinstance(inner, dict):
            yield from described(inner, f"{path}/{keyword}")


def test_it_is_a_schema_of_its_draft() -> None:
    Draft202012Validator.check_schema(SCHEMA)


def test_every_definition_has_a_title_and_a_description() -> None:
    lacking = [
        path
        for path, schema in described(SCHEMA, "")
        if not schema.get("title") or not schema.get("description")
    ]
    assert lacking == []


def test_every_reference_leads_somewhere() -> None:
    text = json.dumps(SCHEMA)
    names = {part.partition('"')[0] for part in text.split('"#/$defs/')[1:]}
    assert names <= SCHEMA["$defs"].keys()
    assert names >= SCHEMA["$defs"].keys() - {"service"}


@pytest.mark.material
def test_it_has_every_service_key_of_the_specification() -> None:
    if not UPSTREAM.exists():
        pytest.skip(f"{UPSTREAM.name} of the specification is not here to compare with")
    upstream = json.loads(UPSTREAM.read_text())
    theirs = upstream["$defs"]["service"]["properties"].keys()
    assert SCHEMA["$defs"]["service"]["properties"].keys() == theirs | {
        "x-buoy",
        "x-buoy-probe",
    }
    assert SCHEMA["properties"].keys() == upstream["properties"].keys() | {"x-buoy"}
