"""The variables of a service's containers: env_file, and `environment` above it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compose.errors import EnvFileSyntax
from compose.model.service import EnvFile
from compose.source.dotenv import Setting, parse_dotenv, read_dotenv, read_raw, values_of
from compose.source.tree import locate

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from compose.model.fields import Fields
    from compose.source.discover import Environment
    from compose.source.template import Lookup


def read_environment(
    fields: Fields, environment: Environment, *, files: bool = True
) -> dict[str, str | None]:
    """The resolved variables of a service, sorted by name.

    files   False: leave environment files unread

    A key of `environment` without a value takes it from the project's environment; where that has
    none it is None, which takes the variable out of the image's and env_file's.
    """
    pairs = fields.pairs("environment").items()
    own = [_own(fields, name, value, environment) for name, value in pairs]
    given = {one.name: one.value for one in own}
    values: dict[str, str] = {}

    def lookup(name: str) -> str | None:
        found = environment.find(name)
        return given.get(name) if found is None else found

    found: list[Setting] = []
    for file in fields.each("env_file") if files else ():
        path = file.text("path") or ""
        text = environment.surroundings.read(path)
        if text is not None:
            settings = _parsed(file, path, text, environment, lookup, values)
            values |= values_of(settings)
            found += settings
        elif file.flag("required", default=True):
            shown = environment.surroundings.shown(path)
            why = environment.surroundings.failing(path)
            what = f"{fields.name()}: env_file {shown} {why}"
            file.missing(what, hint="`required: false` accepts its absence")
    found += own
    environment.services[fields.name()] = found
    return dict(sorted({one.name: one.value for one in found}.items()))


def _own(fields: Fields, name: str, value: str | None, environment: Environment) -> Setting:
    where = fields.where("environment", name, key=True)
    if value is not None:
        return Setting(name, value, where)
    mark = locate(fields.root, (*fields.path, "environment", name))
    found, origin = environment.pass_on(name, mark)
    return Setting(name, found, where, origin)


def read_labels(fields: Fields, environment: Environment) -> dict[str, str]:
    """The labels of a service: those of `label_file`, and `labels` above them.

    Values in the files can refer to labels that come before them, and to nothing else.
    """
    values: dict[str, str] = {}
    for index, path in enumerate(fields.texts("label_file")):
        text = environment.surroundings.read(path)
        shown = environment.surroundings.shown(path)
        if text is None:
            what = f"{fields.name()}: label_file {shown} {environment.surroundings.failing(path)}"
            fields.missing(what, "label_file", index)
            continue
        try:
            values |= parse_dotenv(text, shown, values.get, lambda name: None, environment.notice)
        except EnvFileSyntax as problem:
            fields.problems.append(problem)
    return dict(sorted({**values, **fields.labels()}.items()))


def unread_files(fields: Fields) -> Iterator[EnvFile]:
    """The environment files of a service as they are named."""
    for file in fields.each("env_file"):
        yield EnvFile(
            path=file.text("path") or "",
            required=file.flag("required", default=True),
            format=file.text("format"),
        )


def _parsed(
    file: Fields,
    path: str,
    text: str,
    environment: Environment,
    lookup: Lookup,
    earlier: Mapping[str, str],
) -> list[Setting]:
    shown = environment.surroundings.shown(path)
    try:
        if file.text("format") == "raw":
            return read_raw(text, shown, lookup)
        return read_dotenv(
            text,
            shown,
            lookup,
            lambda name: environment.missing(name, shown),
            environment.notice,
            earlier,
        )
    except EnvFileSyntax as problem:
        file.problems.append(problem)
        return []
