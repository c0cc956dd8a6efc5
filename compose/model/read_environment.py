"""The variables of a service's containers: env_file, and `environment` above it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compose.errors import EnvFileSyntax, FileMissing
from compose.model.service import EnvFile
from compose.source.dotenv import parse_dotenv, parse_raw

if TYPE_CHECKING:
    from collections.abc import Iterator

    from compose.model.fields import Fields
    from compose.source.discover import Environment
    from compose.source.template import Lookup


def read_environment(
    fields: Fields, directory: str, environment: Environment, *, files: bool = True
) -> dict[str, str | None]:
    """The resolved variables of a service, sorted by name.

    files   False: those of `environment` alone

    A key of `environment` without a value takes it from the project's environment; where that has
    none it stays None, which takes the variable out of the image's and env_file's.
    """
    own = {
        name: environment.find(name) if value is None else value
        for name, value in fields.pairs("environment").items()
    }
    values: dict[str, str | None] = {}

    def lookup(name: str) -> str | None:
        found = environment.find(name)
        found = own.get(name) if found is None else found
        return values.get(name) if found is None else found

    for file in fields.each("env_file") if files else ():
        path = environment.surroundings.within(directory, file.text("path") or "")
        text = environment.surroundings.read(path)
        if text is not None:
            values |= _parsed(file, path, text, environment, lookup)
        elif file.flag("required", default=True):
            shown = environment.surroundings.shown(path)
            what = f"{fields.name()}: env_file {shown} cannot be read"
            file.note(FileMissing, what, hint="`required: false` accepts its absence")
    return dict(sorted({**values, **own}.items()))


def unread_files(fields: Fields, directory: str, environment: Environment) -> Iterator[EnvFile]:
    """The environment files of a service as they are named, with absolute paths."""
    for file in fields.each("env_file"):
        yield EnvFile(
            path=environment.surroundings.within(directory, file.text("path") or ""),
            required=file.flag("required", default=True),
            format=file.text("format"),
        )


def _parsed(
    file: Fields, path: str, text: str, environment: Environment, lookup: Lookup
) -> dict[str, str]:
    if file.text("format") == "raw":
        return parse_raw(text, lookup)
    shown = environment.surroundings.shown(path)
    try:
        return parse_dotenv(text, shown, lookup, lambda name: environment.missing(name, shown))
    except EnvFileSyntax as problem:
        file.problems.append(problem)
        return {}
