"""Loaded projects, kept for as long as nothing that they were made from has changed.

Reading one takes a few milliseconds and imports neither YAML, schema nor graph libraries. An entry
holds the contents of all files, the values of all variables and the ends of all links that took
part, those too that were looked for and not there, and is used only when each is the same now; so
it can be stale in no way that a file's times could hide. Only its owner can read it, and secrets
that are in the environment alone are not in it (`withheld.py`).
"""

from __future__ import annotations

import json
import os
import stat
import zlib

from compose import __version__
from compose.graph.entries import read_entry, write_entry
from compose.model.encoding import decode, encode
from compose.source.surroundings import read_text
from engine.errors import Problem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from compose.model.options import LoadOptions
    from compose.model.project import Inputs, Project

_CODE = ("compose/source", "compose/model", "compose/graph", "schemas")


def load_cached(options: LoadOptions, directory: str) -> Project:
    """The project that the options speak of, from the cache in `directory` where that still holds.

    Where no order is asked for, it may be without its graph. A missing or damaged entry is made
    anew; a directory that cannot be written is no error. Raises as `load_ordered`: a project with
    problems is not kept.
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
    project = found = _find(path, key, options)
    if project is None:
        from compose.graph.load import load_checked

        project = load_checked(options)
    if _lacks_graph(project, options):
        from compose.graph.dependencies import with_dependencies

        project = with_dependencies(project)
    if project is not found and all(map(_is_lasting, _present(project.inputs))):
        _keep(path, key, project)
    return project


def _lacks_graph(project: Project, options: LoadOptions) -> bool:
    """Whether an order is wanted and there is none: the command before may have needed none."""
    wanted = options.ordered and options.consistency
    return wanted and bool(project.services) and not project.dependencies.nodes


def _key(options: LoadOptions) -> str:
    """What names an entry: the options, and the code that would load the project."""
    given = options.values()
    del given["environment"], given["ordered"]
    return json.dumps([__version__, _code_stamp(), given])


def _code_stamp() -> int:
    """A number for the modules and schemas that are installed: others start with no cache."""
    package = os.path.dirname(os.path.dirname(os.path.dirname(__file__)))  # noqa: PTH120
    files = sorted(one for name in _CODE for one in _stamps(f"{package}/{name}"))
    return zlib.crc32(repr(files).encode())


def _stamps(directory: str) -> Iterator[tuple[str, int, int]]:
    """Of each file its path, its size in bytes and the time of its last change, in nanoseconds."""
    with os.scandir(directory) as entries:
        for entry in entries:
            if entry.name.endswith((".py", ".json")):
                found = entry.stat()
                yield entry.path, found.st_size, found.st_mtime_ns


def _present(inputs: Inputs) -> Iterator[str]:
    return (path for path, contents in inputs.files.items() if contents is not None)


def _is_lasting(path: str) -> bool:
    """Whether it can be read again: a pipe, as standard input and `<(...)` are, cannot."""
    try:
        return path != "-" and stat.S_ISREG(os.stat(path).st_mode)  # noqa: PTH116
    except OSError:
        return False


def _keep(path: str, key: str, project: Project) -> None:
    """Write four lines: the key, what took part, digests of what is not kept, and the project."""
    from compose.graph.withheld import withhold
    from compose.model.project import Inputs

    kept, withheld = withhold(project)
    inputs, rest = encode(kept.inputs), encode(kept.replace(inputs=Inputs()))
    try:
        write_entry(path, "\n".join((key, inputs, json.dumps(withheld), rest)))
    except (OSError, UnicodeError):
        return  # the next command loads the project again


def _find(path: str, key: str, options: LoadOptions) -> Project | None:
    try:
        found, inputs_line, withheld_line, project_line = (read_entry(path) or "").split("\n")
        if found != key:
            return None
        inputs: Inputs = decode(inputs_line)
        if not _unchanged(inputs, options):
            return None
        project: Project = decode(project_line).replace(inputs=inputs)
        if withheld_line != "{}":
            from compose.graph.withheld import give_back

            return give_back(project, json.loads(withheld_line), options.environment)
        return project
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None  # not there, or damaged


def _unchanged(inputs: Inputs, options: LoadOptions) -> bool:
    variables = options.environment
    return (
        all(variables.get(name) == value for name, value in inputs.environment.items())
        and all(read_text(path) == contents for path, contents in inputs.files.items())
        and all(os.path.realpath(path) == end for path, end in inputs.links.items())
    )
