"""Records as JSON text and back, fast to read: what a loaded project is cached as.

JSON rather than pickle: reading it runs nothing, whoever wrote it.
"""

from __future__ import annotations

import json

from compose.model.build import Build
from compose.model.dependencies import Dependencies, Dependency, Edge, Node
from compose.model.healthcheck import Healthcheck
from compose.model.mounts import Mount
from compose.model.network import Network, ServiceNetwork
from compose.model.ports import Port
from compose.model.positions import Positions
from compose.model.project import Inputs, Notice, Project
from compose.model.record import Record
from compose.model.resources import Logging, Resources, RestartPolicy
from compose.model.service import EnvFile, Link, Service
from compose.model.volume import Volume

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_KIND = "\0record"  # a key that no file can hold beside the names of fields
_CLASSES: dict[str, type[Record]] = {
    cls.__name__: cls
    for cls in (
        *(Build, Dependencies, Dependency, Edge, EnvFile, Healthcheck, Inputs, Link, Logging),
        *(
            Mount,
            Network,
            Node,
            Notice,
            Port,
            Positions,
            Project,
            Resources,
            RestartPolicy,
            Service,
        ),
        *(ServiceNetwork, Volume),
    )
}


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
    """The record of a text from `encode`. Raises ValueError, TypeError or KeyError for others."""
    return json.loads(text, object_hook=_restored)


def _restored(values: dict[str, Any]) -> Any:
    kind = values.pop(_KIND, None)
    if kind is None:
        return values
    for name, value in values.items():
        if type(value) is list:
            values[name] = _tuple(value)
        elif type(value) is dict and name != "extensions":  # those keep their lists
            values[name] = {key: _tuple(v) if type(v) is list else v for key, v in value.items()}
    return _CLASSES[kind](**values)


def _tuple(items: list[Any]) -> tuple[Any, ...]:
    return tuple(_tuple(item) if type(item) is list else item for item in items)
