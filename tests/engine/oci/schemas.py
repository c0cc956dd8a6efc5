"""The JSON Schemas of the runtime specification, beside this repository or not there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

DIRECTORY = Path(__file__).parents[4] / "shared/spec/oci/runtime"
_ELSEWHERE = ("solaris", "windows", "vm", "zos", "freebsd")  # their files are not with them


def complaints(name: str, document: Any) -> list[str]:
    """What the schema in the file `name` says of a document; an empty list where it is valid."""
    from jsonschema import Draft4Validator
    from referencing import Registry
    from referencing.jsonschema import DRAFT4

    resources = [
        (path.name, DRAFT4.create_resource(_load(path))) for path in DIRECTORY.glob("*.json")
    ]
    registry: Any = Registry().with_resources(resources)
    validator = Draft4Validator({"$ref": name}, registry=registry)
    found = validator.iter_errors(document)
    return [f"{'.'.join(map(str, error.absolute_path))}: {error.message}" for error in found]


def _load(path: Path) -> Any:
    schema = json.loads(path.read_text())
    for other in _ELSEWHERE:
        schema.get("properties", {}).pop(other, None)
    return schema
