"""What a service needs of other services: their names, their volumes, that they run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, cast

from compose.errors import InvalidValue
from compose.model.dependencies import Dependency
from compose.model.service import Link

if TYPE_CHECKING:
    from collections.abc import Iterator

    from compose.model.dependencies import Implying
    from compose.model.fields import Fields


def read_dependencies(fields: Fields) -> dict[str, Dependency]:
    """Dependencies by service: those of depends_on, then those that links and namespaces imply."""
    found = {}
    for name, wish in fields.named("depends_on"):
        condition = wish.text("condition") or "service_started"
        found[name] = Dependency(
            condition=cast(
                'Literal["service_started", "service_healthy", "service_completed_successfully"]',
                condition,
            ),
            restart=wish.flag("restart"),
            required=wish.flag("required", default=True),
        )
    for name, key in _implied(fields):
        found.setdefault(name, Dependency(restart=True, implied_by=key))
    for name in _lenders(fields):
        found.setdefault(name, Dependency(implied_by="volumes_from"))
    return dict(sorted(found.items()))


def _implied(fields: Fields) -> Iterator[tuple[str, Implying]]:
    """Services that are needed without `depends_on`, with the key that implies them."""
    for link in read_links(fields):
        yield link.service, "links"
    keys: tuple[Implying, ...] = ("network_mode", "ipc", "pid")
    for key in keys:
        kind, _, name = (fields.text(key) or "").partition(":")
        if kind == "service":
            yield name, key


def _lenders(fields: Fields) -> list[str]:
    """The services that `volumes_from` names."""
    entries = (text.partition(":") for text in fields.texts("volumes_from"))
    return [name for name, _, _ in entries if name != "container"]


def read_links(fields: Fields) -> tuple[Link, ...]:
    """The names by which a service knows others, `SERVICE[:ALIAS]`."""
    pairs = (text.partition(":") for text in fields.texts("links"))
    return tuple(Link(service=service, alias=alias or service) for service, _, alias in pairs)


def read_volumes_from(fields: Fields) -> Iterator[str]:
    """The entries that are `SERVICE[:MODE]` or `container:NAME[:MODE]`."""
    for index, text in enumerate(fields.texts("volumes_from")):
        _, _, mode = text.removeprefix("container:").partition(":")
        if mode not in ("", "ro", "rw"):
            what = f"{fields.name('volumes_from', index)}: `{mode}` is neither `ro` nor `rw`"
            fields.note(InvalidValue, what, "volumes_from", index)
        yield text
