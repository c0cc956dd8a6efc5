"""Documents made up from a JSON Schema: most nearly fit it, some do, some do not at all."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

TEXTS = ("", "a", "web", "x-y", "80", "8080:80", "1.5", "10s", "64m", "true", "${V:-1}", "a=b")
NAMES = ("web", "db", "x-own", "a.b", "not a name", "", "ünï", "default")
DEEPEST = 12
MANY = 20  # keys of a service, of which more are chosen at a time


class Documents:
    """A source of documents for one schema; the same seed gives the same ones."""

    def __init__(self, schema: dict[str, Any], chance: random.Random) -> None:
        self._schema, self._chance = schema, chance

    def made(self) -> Any:
        """A document that is made up from the schema, with one service at least."""
        document = self._object(self._schema, 0)
        if self._chance.random() < 0.9:
            document["services"] = {"web": self._of(self._schema["$defs"]["service"], 2)}
        return document

    def changed(self, document: Any) -> Any:
        """A document with one to three places changed."""
        document = copy.deepcopy(document)
        for _ in range(self._chance.randint(1, 3)):
            self._change(document)
        return document

    def _of(self, schema: dict[str, Any], depth: int) -> Any:
        if "$ref" in schema:
            schema = self._schema["$defs"][schema["$ref"].rpartition("/")[2]]
        if depth > DEEPEST or self._chance.random() < 0.01:
            return self._anything()
        for keyword in ("oneOf", "anyOf"):
            if keyword in schema:
                return self._of(self._chance.choice(schema[keyword]), depth)
        if "enum" in schema and self._chance.random() < 0.9:
            return self._chance.choice(schema["enum"])
        kinds = schema.get("type", ["null", "string", "integer", "boolean", "array", "object"])
        kind = self._chance.choice([kinds] if isinstance(kinds, str) else kinds)
        if kind == "object":
            return self._object(schema, depth)
        if kind == "array":
            items = schema.get("items", {})
            count = self._chance.choice((0, 1, 1, 2, 2, 3))
            return [self._of(items, depth + 1) for _ in range(count)]
        return self._scalar(kind, schema)

    def _object(self, schema: dict[str, Any], depth: int) -> dict[str, Any]:
        """Some of the known keys, mostly all that are required, and now and then others."""
        known: dict[str, Any] = schema.get("properties", {})
        chosen = set(self._some(sorted(known), 12 if len(known) > MANY else 3))
        if self._chance.random() < 0.9:
            chosen.update(schema.get("required", ()))
        found = {key: self._of(known.get(key, {}), depth + 1) for key in sorted(chosen)}
        free = [*schema.get("patternProperties", {}).values()]
        if isinstance(schema.get("additionalProperties"), dict):
            free.append(schema["additionalProperties"])
        if free and (not known or self._chance.random() < 0.1):
            for name in self._some(NAMES, 2):
                found[name] = self._of(self._chance.choice(free), depth + 1)
        if self._chance.random() < 0.02:
            found[self._chance.choice(NAMES)] = self._anything()
        return found

    def _scalar(self, kind: str, schema: dict[str, Any]) -> Any:
        if kind == "string":
            return self._chance.choice((*TEXTS, *map(str, schema.get("examples", ()))))
        if kind == "boolean":
            return self._chance.random() < 0.5
        if kind == "null":
            return None
        low, high = schema.get("minimum", 0), schema.get("maximum", 3)
        numbers = [low - 1, low, low + 1, high, high + 1]
        return self._chance.choice([*numbers, 1.5, 2.0] if kind == "number" else [*numbers, 2.0])

    def _some(self, names: Sequence[str], most: int) -> list[str]:
        return self._chance.sample(names, min(len(names), self._chance.randint(0, most)))

    def _anything(self) -> Any:
        some: Any = self._chance.choice(
            (None, True, False, 0, 1, -1, 1.5, 2.0, "", "a", [], {}, ["a"], [1, True], {"a": 1})
        )
        return copy.deepcopy(some)

    def _change(self, document: Any) -> None:
        """Remove, replace, double, rename or add one entry of a mapping or list inside."""
        inner = [node for node in _containers(document) if node]
        if not inner:
            return
        node = self._chance.choice(inner)
        key = self._chance.choice(list(node) if isinstance(node, dict) else range(len(node)))
        match self._chance.randrange(6):
            case 0:
                del node[key]
            case 1:
                node[key] = self._anything()
            case 2 if isinstance(node, list):
                node.append(copy.deepcopy(node[key]))
            case 2 | 3 if isinstance(node, dict):
                node[self._chance.choice((*NAMES, f"{key}s"))] = node.pop(key)
            case 4:
                node[key] = [node[key]] if self._chance.random() < 0.5 else {"a": node[key]}
            case _ if isinstance(node[key], int | float):
                node[key] = str(node[key])
            case _:
                node[key] = self._chance.choice(TEXTS)


def _containers(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [value, *(inner for one in value.values() for inner in _containers(one))]
    if isinstance(value, list):
        return [value, *(inner for one in value for inner in _containers(one))]
    return []
