"""Some services of a tree whose variables are still in the text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compose.errors import UnknownService, nearest, raise_all
from compose.model.fields import Fields
from compose.model.read_needs import read_dependencies
from compose.source.tree import Map, Seq

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from compose.source.tree import Value

_SECTIONS = ("networks", "volumes", "configs", "secrets", "models")


def keep_services(tree: Map, names: Iterable[str]) -> None:
    """Reduce a tree in long forms to the named services, what they need, and what those use.

    A section stays whole where a text with a variable may name any of it. No names: nothing is
    removed. Raises UnknownService, for each name.
    """
    wanted = list(dict.fromkeys(names))
    services = tree.get("services")
    if not wanted or not isinstance(services, Map):
        return
    fields = dict(Fields(tree, (), [], tree).named("services"))
    raise_all([_unknown(name, fields) for name in wanted if name not in fields])
    kept: set[str] = set()
    while wanted:
        name = wanted.pop()
        if name in fields and name not in kept:
            kept.add(name)
            wanted += read_dependencies(fields[name])
    for name in [name for name in services if name not in kept]:
        services.drop(name)
    for section in _SECTIONS:
        _prune(tree, section, services)


def _unknown(name: str, known: Iterable[str]) -> UnknownService:
    return UnknownService(f"there is no service `{name}`", hint=nearest(name, known))


def _prune(tree: Map, section: str, services: Map) -> None:
    entries = tree.get(section)
    used = {key for service in services.values() for key in _used(service, section)}
    if not isinstance(entries, Map) or any("$" in key for key in used):
        return
    for key in [key for key in entries if key not in used]:
        entries.drop(key)
    if not entries:
        tree.drop(section)


def _used(service: Value, section: str) -> Iterator[str]:
    """What a service has of a section: keys, or texts that have a variable."""
    if not isinstance(service, Map):
        return
    if section == "networks" and not {"networks", "network_mode"} & service.keys():
        yield "default"
    yield from _names(service.get(section))
    build = service.get("build")
    if section == "secrets" and isinstance(build, Map):
        yield from _names(build.get(section))


def _names(value: Value) -> Iterator[str]:
    if isinstance(value, Map):
        yield from value
    for item in value if isinstance(value, Seq) else ():
        named = item.get("source") if isinstance(item, Map) else item
        if named is not None:
            yield str(named)
