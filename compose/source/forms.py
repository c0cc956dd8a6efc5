"""Short and list forms turned into one form, so that files can be merged and read.

Only the shape changes here; ports, mounts and commands are taken apart in `canonical`. A value of
a shape that no form has is left as it is: the schema names it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from compose.source.paths import PathTable, below, each
from compose.source.tree import Map, Mark, Path, Seq, Value

if TYPE_CHECKING:
    from collections.abc import Callable

HOOKS = below("services.*", "pre_start.[] post_start.[] pre_stop.[] develop.watch.[].exec")
KEY_VALUES = [
    *[f"{hook}.environment" for hook in HOOKS],
    *below("services.*", "annotations environment labels sysctls volumes.[].volume.labels"),
    *below("services.*.build", "args additional_contexts labels ssh"),
    *("services.*.deploy.labels", "networks.*.labels", "volumes.*.labels"),
    *("secrets.*.labels", "configs.*.labels"),
]
STRING_LISTS = below("services.*", "dns dns_search env_file label_file tmpfs")
STRING_LISTS += ["services.*.build.no_cache_filter", "include.[].path", "include.[].env_file"]
STRING_LISTS += below("services.*.develop.watch.[]", "ignore include")
HOSTS = ["services.*.extra_hosts", "services.*.build.extra_hosts"]


def bring_into_form(value: Value, path: Path = ()) -> None:
    """Every node below `value` in the form that merging and reading work on, in place."""
    if isinstance(value, Map):
        for key in list(value):
            inner = (*path, key)
            value[key] = _in_form(value[key], value.values_at[key], inner)
            bring_into_form(value[key], inner)
    elif isinstance(value, Seq):
        for index, (item, mark) in enumerate(list(value.items())):
            inner = (*path, index)
            value[index] = _in_form(item, mark, inner)
            bring_into_form(value[index], inner)


def _in_form(value: Value, mark: Mark, path: Path) -> Value:
    convert = _FORMS.find(path)
    return value if convert is None else convert(value, mark)


def _key_values(value: Value, mark: Mark) -> Value:
    """A list of `KEY=VALUE` as a mapping; of a repeated key the last counts."""
    if not isinstance(value, Seq) or not all(isinstance(item, str) for item in value):
        return value
    mapping = Map(mark)
    for item, at in value.items():
        key, separator, text = str(item).partition("=")
        mapping.put(key, text if separator else None, at)
    return mapping


def _list(value: Value, mark: Mark) -> Value:
    if not isinstance(value, str):
        return value
    sequence = Seq(mark)
    sequence.add(value, mark)
    return sequence


def _hosts(value: Value, mark: Mark) -> Value:
    """A mapping of names to addresses as a list of `NAME=ADDRESS`."""
    if not isinstance(value, Map):
        return value
    sequence = Seq(mark)
    for name, addresses in value.items():
        for address in addresses if isinstance(addresses, Seq) else [addresses]:
            sequence.add(f"{name}={address}", value.values_at[name])
    return sequence


def _build(value: Value, mark: Mark) -> Value:
    if not isinstance(value, str):
        return value
    mapping = Map(mark)
    mapping.put("context", value, mark)
    return mapping


def _named(fill: Callable[[Mark], Value]) -> Callable[[Value, Mark], Value]:
    """A list of names as a mapping of those names to `fill`."""

    def convert(value: Value, mark: Mark) -> Value:
        if not isinstance(value, Seq) or not all(isinstance(item, str) for item in value):
            return value
        mapping = Map(mark)
        for item, at in value.items():
            mapping.put(str(item), fill(at), at)
        return mapping

    return convert


def _started(mark: Mark) -> Map:
    mapping = Map(mark)
    mapping.put("condition", "service_started", mark)
    mapping.put("required", True, mark)
    return mapping


_FORMS: PathTable[Callable[[Value, Mark], Value]] = PathTable(
    {
        **each(KEY_VALUES, _key_values),
        **each(STRING_LISTS, _list),
        **each(HOSTS, _hosts),
        "services.*.build": _build,
        "services.*.depends_on": _named(_started),
        "services.*.networks": _named(lambda mark: None),
        "services.*.models": _named(lambda mark: None),
    }
)
