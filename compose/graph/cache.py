"""Loaded projects, kept for as long as nothing that they were made from has changed.

Reading one takes a few milliseconds and imports neither YAML, schema nor graph libraries. An entry
holds the contents of all files and the values of all variables that took part, and is used only
when each is the same now; so it can be stale in no way that a file's times could hide. A project
with secrets that are made of variables is not kept.
"""

from __future__ import annotations

import json
import os
import zlib

from compose import __version__
from compose.model.encoding import decode, encode
from compose.model.project import Inputs, Project
from engine.errors import Problem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from compose.model.options import LoadOptions

MAX_ENTRIES = 200
_CODE = ("source", "model", "graph")


def load_cached(options: LoadOptions, directory: str) -> Project:
    """The project that the options speak of, from the cache in `directory` where that still holds.

    A missing or damaged entry is made anew; a directory that cannot be written is no error. Raises
    as `load_ordered`: a project with problems is not kept.
    """
    if options.services:
        # mostly they are enabled, and the entry that all commands share will do
        try:
            project = _load(options.replace(services=()), directory)
        except (Problem, ExceptionGroup):
            return _load(options, directory)
        if not any(name in project.disabled for name in options.services):
            return project
    return _load(options, directory)


def _load(options: LoadOptions, directory: str) -> Project:
    key = _key(options)
    path = f"{directory}/{zlib.crc32(key.encode()):08x}.json"
    project = _find(path, key, options)
    if project is None:
        from compose.graph.load import load_ordered

        project = load_ordered(options)
        if "-" not in project.files and not _is_secret(project):
            _write(directory, path, _entry(key, project))
    return project


def _is_secret(project: Project) -> bool:
    """Whether it holds secrets that are in memory alone: those made of variables."""
    return any(one.content is not None for one in project.secrets.values())


def _key(options: LoadOptions) -> str:
    """What names an entry: the options, and the code that would load the project."""
    given = {name: value for name, value in options.values().items() if name != "environment"}
    return json.dumps([__version__, _code_stamp(), given])


def _code_stamp() -> int:
    """Time of the newest of our modules: an installation over this one starts with no cache."""
    package = os.path.dirname(os.path.dirname(__file__))  # noqa: PTH120 - pathlib costs 17 ms
    newest = 0
    for name in _CODE:
        with os.scandir(f"{package}/{name}") as entries:
            newest = max(newest, *(entry.stat().st_mtime_ns for entry in entries))
    return newest


def _entry(key: str, project: Project) -> str:
    """Three lines: the key, what took part, and the project."""
    inputs = project.inputs
    return "\n".join((key, encode(inputs), encode(project.replace(inputs=Inputs()))))


def _find(path: str, key: str, options: LoadOptions) -> Project | None:
    try:
        with open(path, encoding="utf-8") as file:  # noqa: PTH123
            found, inputs_line, project_line = file.read().split("\n")
        if found != key:
            return None
        inputs: Inputs = decode(inputs_line)
        if not _unchanged(inputs, options):
            return None
        project: Project = decode(project_line)
        return project.replace(inputs=inputs)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None  # not there, or damaged


def _unchanged(inputs: Inputs, options: LoadOptions) -> bool:
    variables = options.environment
    return all(variables.get(name) == value for name, value in inputs.environment.items()) and all(
        _read(path) == contents for path, contents in inputs.files.items()
    )


def _read(path: str) -> str | None:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:  # noqa: PTH123
            return file.read()
    except OSError:
        return None


def _write(directory: str, path: str, text: str) -> None:
    """Write an entry whole or not at all; the oldest ones make room."""
    temporary = f"{path}.{os.getpid()}"
    try:
        os.makedirs(directory, mode=0o700, exist_ok=True)  # noqa: PTH103
        _make_room(directory)
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        with os.fdopen(os.open(temporary, flags, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(temporary, path)  # noqa: PTH105
    except OSError:
        return  # the next command loads the project again


def _make_room(directory: str) -> None:
    with os.scandir(directory) as entries:
        files = sorted(entries, key=lambda entry: entry.stat().st_mtime_ns)
    for entry in files[: max(0, len(files) - MAX_ENTRIES)]:
        os.unlink(entry.path)  # noqa: PTH108
