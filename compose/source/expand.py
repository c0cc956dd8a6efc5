"""Short entries of lists as the mappings of their long form (compose-file.md 4.4).

Every function raises ValueError with a sentence about what is wrong.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from compose.source.shorthand import parse_device, parse_mount, parse_port
from compose.source.tree import Map, Mark

if TYPE_CHECKING:
    from collections.abc import Mapping

    from compose.source.tree import Value


def mapping_of(values: Mapping[str, Value], mark: Mark) -> Map:
    """A mapping of the values that are not None, all at one position."""
    mapping = Map(mark)
    for key, value in values.items():
        if value is not None:
            mapping.put(key, value, mark)
    return mapping


def expand_port(text: str, mark: Mark) -> list[Map]:
    """A short port, one mapping for each port of a range."""
    return [mapping_of(port._asdict(), mark) for port in parse_port(text)]


def expand_mount(text: str, mark: Mark) -> tuple[Map, tuple[str, ...]]:
    """A short mount, and those of its options that mean nothing."""
    short = parse_mount(text)
    details: dict[str, Value] = {}
    if short.type == "bind":
        bind: dict[str, Value] = {"propagation": short.propagation, "selinux": short.selinux}
        details["bind"] = mapping_of(bind, mark)
    elif short.nocopy:
        details["volume"] = mapping_of({"nocopy": True}, mark)
    values: dict[str, Value] = {
        "type": short.type,
        "source": short.source or None,
        "target": short.target,
        "read_only": short.read_only or None,
    }
    return mapping_of(values | details, mark), short.unknown


def expand_device(text: str, mark: Mark) -> Map:
    """A short device."""
    return mapping_of(parse_device(text)._asdict(), mark)
