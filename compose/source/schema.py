"""Checking a tree against `schemas/compose.schema.json`.

The schema gives each key one set of keywords per type (`"type": ["string", "object"]` with
`properties`) instead of alternatives, so that every error of the library is about one thing.
"""

from __future__ import annotations

import json
import re
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from jsonschema import Draft202012Validator

import schemas
from compose.errors import InvalidValue, MissingKey, ProjectProblem, UnknownKey, nearest
from compose.source.tree import Map, Path, dotted, locate

if TYPE_CHECKING:
    from collections.abc import Iterator

_TYPES = {
    "array": "a list",
    "boolean": "true or false",
    "integer": "a whole number",
    "null": "empty",
    "number": "a number",
    "object": "a mapping",
    "string": "a string",
}
_FORMER_KEYS = {  # of earlier formats: what is written instead
    "dockerfile": "write it as `build.dockerfile`",
    "log_driver": "write it as `logging.driver`",
    "log_opt": "write it as `logging.options`",
    "net": "write `network_mode`, or `networks`",
    "volume_driver": "write it as the `driver` of a volume at the top level",
    "cgroupns_mode": "write `cgroup`",
}
_EMPTY = "remove the key, or give it a value"


class Finding(NamedTuple):
    """A problem, and the node that is not usable because of it."""

    path: Path
    problem: ProjectProblem


class _Violation(NamedTuple):
    """What the library says of one value."""

    path: Path
    keyword: str  # of the schema: type, enum ...
    wanted: Any  # what the keyword says
    value: Any
    schema: dict[str, Any]
    message: str


@cache
def validator() -> Draft202012Validator:
    """The validator of a whole project file."""
    with open(f"{schemas.__path__[0]}/compose.schema.json", encoding="utf-8") as file:  # noqa: PTH123
        schema = json.load(file)
    _resolve(schema, schema["$defs"])
    return Draft202012Validator(schema)


def _resolve(node: Any, definitions: dict[str, Any]) -> None:
    """Put what references mean in their place: the library looks each up every time it meets it.

    What stands beside a reference must be titles and the like, which take the place of the other's.
    """
    for key, value in node.items() if isinstance(node, dict) else enumerate(node):
        if isinstance(value, dict) and "$ref" in value and "required" not in value:
            beside = {name: one for name, one in value.items() if name != "$ref"}
            node[key] = {**definitions[value["$ref"].rpartition("/")[2]], **beside}
        elif isinstance(value, dict | list):
            _resolve(value, definitions)


def validate(tree: Map) -> list[Finding]:
    """All violations of the schema, in the order of the file."""
    errors: Iterator[Any] = validator().iter_errors(tree)
    violations = (
        _Violation(
            path=tuple(error.absolute_path),
            keyword=error.validator,
            wanted=error.validator_value,
            value=error.instance,
            schema=error.schema,
            message=error.message,
        )
        for error in errors
    )
    found = [finding for violation in violations for finding in _findings(tree, violation)]
    return sorted(found, key=lambda finding: locate(tree, finding.path, key=True))


def _findings(tree: Map, error: _Violation) -> Iterator[Finding]:
    path = error.path
    match error.keyword:
        case "additionalProperties":
            yield from _unknown_keys(tree, error)
        case "required":
            missing = next(key for key in error.wanted if key not in error.value)
            what = f"{_at(path)} lacks `{missing}`"
            yield Finding(path, MissingKey(what, where=str(locate(tree, path, key=True))))
        case _:
            problem = InvalidValue(
                f"{_at(path)} {_expected(error)}",
                where=str(locate(tree, path)),
                hint=_hint(error),
            )
            yield Finding(path, problem)


def _at(path: Path) -> str:
    return f"{dotted(path)}:" if path else "the file"


def _unknown_keys(tree: Map, error: _Violation) -> Iterator[Finding]:
    path = error.path
    known: dict[str, Any] = error.schema.get("properties", {})
    patterns = error.schema.get("patternProperties", {})
    for key in error.value:
        if key in known or any(re.search(pattern, key) for pattern in patterns):
            continue
        inner = (*path, key)
        where = str(locate(tree, inner, key=True))
        if not known:  # a mapping whose keys the user names
            what = f"`{key}` cannot be a name in `{dotted(path)}`"
            hint = "names consist of letters, digits, `.`, `_` and `-`"
            yield Finding(inner, InvalidValue(what, where=where, hint=hint))
            continue
        place = f"in `{dotted(path)}`" if path else "at the top level"
        what = f"there is no key `{key}` {place}"
        yield Finding(inner, UnknownKey(what, where=where, hint=_key_hint(tree, inner, known)))


def _key_hint(tree: Map, path: Path, known: dict[str, Any]) -> str | None:
    key = str(path[-1])
    if len(path) == 1:
        value = tree[key]
        if isinstance(value, Map) and {"image", "build"} & value.keys():
            return "this looks like a service: indent it below `services:`"
        schema: Any = validator().schema
        if key in schema["$defs"]["service"]["properties"]:
            return f"`{key}` belongs into a service"
    if path[0] == "services" and len(path) == 3 and key in _FORMER_KEYS:
        return _FORMER_KEYS[key]
    return nearest(key, known)


def _expected(error: _Violation) -> str:
    """What is wrong with a value, as the rest of a sentence about it."""
    value, wanted = error.value, error.wanted
    match error.keyword:
        case "type":
            types = [wanted] if isinstance(wanted, str) else list(wanted)
            return f"must be {_either([_TYPES[name] for name in types])}, not {_kind(value)}"
        case "enum":
            return f"`{value}` is not {_either([f'`{word}`' for word in wanted])}"
        case "pattern":
            return f"`{value}` is not valid"
        case "minimum":
            return f"{value} is below {wanted}"
        case "maximum":
            return f"{value} is above {wanted}"
        case "uniqueItems":
            twice = next(item for index, item in enumerate(value) if item in value[:index])
            return f"`{twice}` is there twice"
    return error.message


def _either(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def _kind(value: object) -> str:
    """A value as messages name it: its kind, and itself where it is short."""
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    return f"the string `{value}`" if isinstance(value, str) else f"the number {value}"


def _hint(error: _Violation) -> str | None:
    value, schema = error.value, error.schema
    if error.keyword == "enum" and isinstance(value, str):
        return nearest(value, map(str, error.wanted))
    if "examples" in schema:
        examples = [str(example) for example in schema["examples"]]
        near = nearest(str(value), examples) or ""
        return near if near.startswith("did") else f"as `{'`, `'.join(examples)}`"
    if error.keyword == "type" and isinstance(value, int | float) and schema["type"] == "string":
        return "write it in quotes"
    if error.keyword == "type" and isinstance(value, str) and "array" in schema["type"]:
        return f'write it as a list: `["{value}"]`' if len(value) < 40 else "write it as a list"
    if error.keyword == "type" and value is None:
        return "indent what belongs to it" if "object" in schema["type"] else _EMPTY
    return None
