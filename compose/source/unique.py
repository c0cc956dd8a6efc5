"""Lists in which a later entry replaces an earlier one of the same key (compose-file.md 13.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compose.source.paths import PathTable, below, each
from compose.source.tree import Former, Map, Path, Seq, Value

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable


def thin_out(value: Value, path: Path = ()) -> None:
    """Leave one entry of each key, the last at the place of the first, in all lists of a tree.

    Works on short and long forms, and on trees that the schema has not been asked about.
    """
    if isinstance(value, Map):
        for key, inner in value.items():
            thin_out(inner, (*path, key))
    elif isinstance(value, Seq):
        key_of = _UNIQUE.find(path)
        if key_of is not None:
            _thin(value, key_of)
        for index, inner in enumerate(value):
            thin_out(inner, (*path, index))


def _thin(sequence: Seq, key_of: Callable[[Value], Hashable]) -> None:
    last: dict[Hashable, list[Former]] = {}
    for index, (value, mark) in enumerate(sequence.items()):
        entry = [Former(value, mark), *sequence.former.get(index, ())]
        last[key_of(value)] = [*entry, *last.get(key_of(value), ())]
    if len(last) < len(sequence):
        sequence[:] = [newest.value for newest, *_ in last.values()]
        sequence.values_at[:] = [newest.mark for newest, *_ in last.values()]
        former = {index: tuple(rest) for index, (_, *rest) in enumerate(last.values()) if rest}
        sequence.former = former


def _before_equals(value: Value) -> Hashable:
    """Strings by what stands before `=`; anything else is kept."""
    return value.partition("=")[0] if isinstance(value, str) else id(value)


def _port(value: Value) -> Hashable:
    """Where a port is published and what it leads to."""
    if not isinstance(value, Map):
        return str(value)
    published = value.get("published")
    return (
        str(value.get("host_ip") or "0.0.0.0"),
        None if published is None else str(published),
        str(value.get("target")),
        str(value.get("protocol") or "tcp"),
    )


def _field(name: str) -> Callable[[Value], Hashable]:
    return lambda value: str(value.get(name)) if isinstance(value, Map) else str(value)


def _target(directory: str) -> Callable[[Value], Hashable]:
    """Where a secret or config is mounted; a relative target is compared as it is written."""

    def key_of(value: Value) -> Hashable:
        if not isinstance(value, Map):
            return f"{directory}{value}"
        return str(value.get("target") or f"{directory}{value.get('source')}")

    return key_of


_UNIQUE: PathTable[Callable[[Value], Hashable]] = PathTable(
    {
        **each(below("services.*", "cap_add cap_drop dns dns_opt dns_search"), _before_equals),
        **each(below("services.*", "links profiles tmpfs build.tags"), _before_equals),
        **each(below("services.*.networks.*", "aliases link_local_ips"), _before_equals),
        **each(below("services.*", "expose"), str),
        "services.*.ports": _port,
        "services.*.volumes": _field("target"),
        "services.*.devices": _field("target"),
        "services.*.env_file": _field("path"),
        "services.*.configs": _target("/"),
        "services.*.secrets": _target("/run/secrets/"),
    }
)
