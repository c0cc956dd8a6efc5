"""Secrets and configs: of the project, and as its services and builds use them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compose.errors import Conflict, InvalidValue, MissingKey
from compose.model.files import FileReference, FileSource
from compose.source.tree import locate

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from compose.model.fields import Fields
    from compose.source.tree import Mark

SECRETS = "/run/secrets/"
CONFIGS = "/"


def read_source(
    key: str, fields: Fields, project: str, values: Mapping[Mark, str | None]
) -> FileSource:
    """One of the secrets or configs.

    project  its name
    values   of the variables that they name, by where that is written
    """
    external, old_name = fields.external()
    driver, template_driver = fields.text("driver"), fields.text("template_driver")
    _check_origin(fields, elsewhere=external or driver is not None)
    for name in ("driver", "template_driver"):
        if name in fields:
            fields.not_built(f"a {name.replace('_', ' ')}", name)
    if external:
        fields.not_built("one that is made elsewhere", "external", hint="give it a `file`")
    return FileSource(
        key=key,
        name=fields.text("name") or old_name or (key if external else f"{project}_{key}"),
        file=fields.text("file"),
        environment=fields.text("environment"),
        content=_content(fields, values),
        external=external,
        driver=driver,
        driver_opts=fields.labels("driver_opts"),
        template_driver=template_driver,
        labels=fields.labels(),
        extensions=fields.extensions(),
    )


def _check_origin(fields: Fields, *, elsewhere: bool) -> None:
    """Exactly one key says what is in it."""
    possible = ["file", "environment"] + (["content"] if fields.path[0] == "configs" else [])
    given = [key for key in possible if key in fields]
    if len(given) > 1:
        what = f"{fields.name()}: `{given[0]}` and `{given[1]}` exclude each other"
        fields.note(Conflict, what, given[1])
    elif not given and not elsewhere:
        keys = ", ".join(f"`{key}`" for key in possible[:-1])
        what = f"{fields.name()} has none of {keys} and `{possible[-1]}`"
        fields.note(MissingKey, what, hint="`file: ./PATH` takes a file beside this one")


def _content(fields: Fields, values: Mapping[Mark, str | None]) -> str | None:
    """The text; None where it is in a file, and where its variable is not set: those that use it
    are told when they need it."""
    if fields.text("environment") is None:
        return fields.text("content")
    return values.get(locate(fields.root, (*fields.path, "environment")))


def read_references(fields: Fields, key: str, directory: str) -> Iterator[FileReference]:
    """The secrets or configs of a service or build.

    directory   where they are put unless they say otherwise; empty: the target is a name
    """
    for entry in fields.each(key):
        source = entry.text("source")
        if source is None:
            entry.note(MissingKey, f"{entry.name()} lacks `source`")
            continue
        target = entry.text("target") or source
        yield FileReference(
            source=source,
            target=target if target.startswith("/") else f"{directory}{target}",
            uid=_owner(entry, "uid"),
            gid=_owner(entry, "gid"),
            mode=entry.mode("mode"),
        )


def _owner(fields: Fields, key: str) -> int | None:
    text = fields.text(key)
    if text is None or text.isdecimal():
        return None if text is None else int(text)
    what = f"{fields.name(key)}: `{text}` is not a number"
    fields.note(InvalidValue, what, key, hint="names are known in the container only")
    return None
