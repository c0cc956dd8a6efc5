"""Whether our schema and the specification's own say the same of a document."""

from __future__ import annotations

import json
import re
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jsonschema import Draft202012Validator

from compose.source.paths import PathTable, each

if TYPE_CHECKING:
    from collections.abc import Iterator

UPSTREAM = Path(__file__).parents[3] / "shared/spec/compose-spec.schema.json"
_NAME = re.compile(r"[a-zA-Z0-9._-]+")

# Where ours refuses what the specification's accepts, on purpose: by path, the keyword.
_STRICTER: PathTable[str] = PathTable(
    {
        # refused by the reference later on, when it reads the value
        "services.*.env_file.[].format": "enum",
        "services.*.group_add.[]": "type",
        "services.*.ports.[]": "required",
        "services.*.volumes.[]": "required",
        # refused by any engine
        "services.*.container_name": "pattern",
        "services.*.mem_swappiness": "minimum maximum",
        "services.*.restart": "pattern",
        "services.*.volumes.[].bind.propagation": "enum",
        # extensions of ours, which are to be right
        **each(["x-buoy", "services.*.x-buoy"], "type additionalProperties"),
        **each(["x-buoy.publish", "services.*.x-buoy.publish"], "type enum"),
        "services.*.x-buoy-probe": "type required additionalProperties pattern",
        "services.*.x-buoy-probe.log": "type minLength",
        # keys that no engine knows, in mappings that the specification's forgets to close
        **each(
            [
                *("services.*.ulimits", "services.*.build.ulimits", "services.*.models"),
                *("services.*.gpus.[]", "configs.*.external", "secrets.*.external"),
            ],
            "additionalProperties",
        ),
    }
)
# Mappings in which the specification's does not look at values whose keys are not names.
_UNSEEN = (
    *((section,) for section in ("networks", "volumes", "models", "configs", "secrets")),
    *(("services", "*", key) for key in ("provider", "logging", "networks", "storage_opt")),
)


def ours() -> dict[str, Any]:
    """Our schema."""
    text = resources.files("schemas").joinpath("compose.schema.json").read_text("utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema


def theirs() -> dict[str, Any]:
    """The specification's schema."""
    schema: dict[str, Any] = json.loads(UPSTREAM.read_text("utf-8"))
    return schema


class Comparison:
    """Counts of verdicts, and the disagreements that are not on purpose."""

    def __init__(self) -> None:
        self._ours, self._theirs = Draft202012Validator(ours()), Draft202012Validator(theirs())
        self.documents = self.valid = self.stricter = 0
        self.disagreements: list[str] = []

    def add(self, document: Any) -> None:
        """Ask both about a document."""
        self.documents += 1
        found = list(self._ours.iter_errors(document))
        upstream = next(self._theirs.iter_errors(document), None)
        self.valid += upstream is None
        if upstream is not None and not found:
            self._note("the specification's alone refuses", upstream, document)
        elif upstream is None and found:
            self.stricter += 1
            for error in found:
                if not _is_deliberate(error):
                    self._note("ours alone refuses", error, document)

    def _note(self, what: str, error: Any, document: Any) -> None:
        path = "/".join(map(str, error.absolute_path))
        self.disagreements.append(f"{what} {path}: {error.message}\nin {json.dumps(document)}")


def _is_deliberate(error: Any) -> bool:
    path = tuple(error.absolute_path)
    if error.validator in (_STRICTER.find(path) or "").split():
        return True
    return any(_below_odd_name(path, prefix) for prefix in _UNSEEN)


def _below_odd_name(path: tuple[str | int, ...], prefix: tuple[str, ...]) -> bool:
    """Whether a path goes on from `prefix` by something that is no name."""
    for part, wanted in zip(path, prefix, strict=False):
        if wanted not in ("*", part):
            return False
    return any(not _NAME.fullmatch(str(part)) for part in path[len(prefix) :])


def corpus() -> Iterator[tuple[Path, Any]]:
    """Public Compose files and ours, as they are written."""
    from compose.source.yaml import parse_documents

    root = Path(__file__).parents[2]
    for directory in (root.parent / "shared/corpus", root / "samples"):
        for path in sorted(directory.rglob("*compose*.y*ml")):
            for document in parse_documents(path.read_text(), path.name):
                yield path, document
