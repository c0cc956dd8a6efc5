"""The documents of one file, ready to be merged: variables, types, forms and paths resolved."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compose.errors import InvalidValue
from compose.source.cast import cast
from compose.source.forms import bring_into_form
from compose.source.interpolate import interpolate
from compose.source.relative import resolve_paths
from compose.source.tree import Map, Value
from compose.source.yaml import parse_documents

if TYPE_CHECKING:
    from compose.source.loaded import Loaded
    from compose.source.scope import Scope
    from compose.source.surroundings import Surroundings


def read_documents(path: str, surroundings: Surroundings) -> list[Map]:
    """The documents of a file that exists. Raises YamlSyntax and the like, InvalidValue."""
    shown = "stdin" if path == "-" else surroundings.shown(path)
    documents = parse_documents(surroundings.read(path) or "", shown)
    if not documents:
        raise InvalidValue("the project file is empty", where=shown, hint="it begins `services:`")
    return documents


def prepare(document: Map, scope: Scope, loaded: Loaded) -> None:
    """Resolve what a document says in terms of its surroundings, in place."""
    environment = scope.environment
    if scope.variables:
        loaded.unreadable += interpolate(document, environment.find, environment.missing)
    loaded.problems += cast(document, loaded.notices)
    bring_into_form(document)
    resolve_paths(document, scope, loaded.notices)
    _take_values(document, scope, loaded)


def _take_values(document: Map, scope: Scope, loaded: Loaded) -> None:
    """Look up the variables that secrets and configs are made of."""
    for section in ("secrets", "configs"):
        for entry in _mappings(document.get(section)):
            name = entry.get("environment")
            if isinstance(name, str):
                mark = entry.values_at["environment"]
                loaded.values.setdefault(mark, scope.environment.find(name))


def pass_variables(tree: Map, scope: Scope) -> None:
    """Look up the variables that services of an included project take from its environment."""
    for service in _mappings(tree.get("services")):
        variables = service.get("environment")
        for name, value in variables.items() if isinstance(variables, Map) else ():
            if value is None and isinstance(variables, Map):
                scope.environment.pass_on(name, variables.values_at[name])


def _mappings(value: Value) -> list[Map]:
    entries = value.values() if isinstance(value, Map) else ()
    return [entry for entry in entries if isinstance(entry, Map)]
