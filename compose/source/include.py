"""Projects that a file includes (compose-file.md 15)."""

from __future__ import annotations

import os.path
from typing import TYPE_CHECKING, NamedTuple

from compose.errors import FileMissing, IncludeCycle, InvalidValue, MissingKey, ProjectProblem
from compose.source.documents import pass_variables, read_documents
from compose.source.merge import merge
from compose.source.remote import fetch, is_remote
from compose.source.tree import Map, Mark, Seq, Value, settled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from compose.source.loaded import Loaded
    from compose.source.scope import Scope

    Assemble = Callable[[Map, str, list[Map], Scope, Loaded], None]

MAX_INCLUDED = 500  # documents of one project: stops files that include each other many times over
_KEPT = frozenset(("services", "networks", "volumes", "configs", "secrets", "models"))


class _Item(NamedTuple):
    """One entry of `include`, its paths as written."""

    paths: list[tuple[str, Mark]]
    directory: str | None
    env_files: list[tuple[str, Mark]] | None  # None: the `.env` of the directory


def with_included(
    document: Map, path: str, scope: Scope, loaded: Loaded, assemble: Assemble
) -> Map:
    """A document merged onto all that it includes.

    path       of the file it is in
    assemble   merges the documents of a file, and what they include themselves, onto a tree

    What is included lies below what includes it, and a later entry below an earlier one. Problems
    with it make the project unreadable.
    """
    wanted = document.get("include")
    items = list(_items(wanted, loaded)) if isinstance(wanted, Seq) else []
    if not isinstance(wanted, Seq) or len(items) != len(wanted):
        return document  # the schema says what is wrong
    document.drop("include")
    for item in items:
        tree = _included(item, path, scope, loaded, assemble)
        loaded.problems += merge(tree, document)
        document = tree
    return document


def _items(wanted: Seq, loaded: Loaded) -> Iterator[_Item]:
    """The entries that are well-formed."""
    for entry, mark in wanted.items():
        if isinstance(entry, str):
            yield _Item([(entry, mark)], None, None)
        elif isinstance(entry, Map) and "path" not in entry:
            what = "an entry of `include` lacks `path`"
            loaded.unreadable.append(MissingKey(what, where=str(mark)))
        elif isinstance(entry, Map) and _is_well_formed(entry):
            env_files = _texts(entry["env_file"]) if "env_file" in entry else None
            directory = entry.get("project_directory")
            yield _Item(_texts(entry["path"]), str(directory) if directory else None, env_files)


def _is_well_formed(entry: Map) -> bool:
    lists = [entry[key] for key in ("path", "env_file") if key in entry]
    return (
        entry.keys() <= {"path", "env_file", "project_directory"}
        and isinstance(entry.get("project_directory"), str | None)
        and all(isinstance(one, Seq) and all(isinstance(i, str) for i in one) for one in lists)
        and bool(entry["path"])
    )


def _texts(value: Value) -> list[tuple[str, Mark]]:
    entries = value.items() if isinstance(value, Seq) else ()
    return [(str(item), mark) for item, mark in entries]


def _included(item: _Item, path: str, scope: Scope, loaded: Loaded, assemble: Assemble) -> Map:
    """The project of one entry: what of it is added to the one that includes it."""
    tree = Map(item.paths[0][1])
    try:
        found = [(_located(written, mark, scope), mark) for written, mark in item.paths]
    except ProjectProblem as problem:
        loaded.unreadable.append(problem)
        return tree
    inner = _inner_scope(item, found[0][0], path, scope, loaded)
    for absolute, mark in found:
        documents = _documents(absolute, mark, inner, loaded)
        assemble(tree, absolute, documents, inner, loaded)
    pass_variables(tree, inner)
    give_contexts(tree, inner.directory)
    for key in list(tree):
        if key not in _KEPT:
            tree.drop(key)
    kept = settled(tree)
    assert isinstance(kept, Map)
    return kept


def _located(written: str, mark: Mark, scope: Scope) -> str:
    """The path of an included file, which may have to be fetched."""
    if is_remote(written):
        return fetch(written, scope.environment, str(mark))
    return scope.absolute(written)


def _documents(path: str, mark: Mark, scope: Scope, loaded: Loaded) -> list[Map]:
    """The documents of an included file; none, and a problem, where there can be none."""
    surroundings = scope.environment.surroundings
    chain = [*scope.within, surroundings.followed(path)]
    if chain[-1] in scope.within:
        names = [scope.shown(name) for name in chain[chain.index(chain[-1]) :]]
        what = f"files include each other in a circle: {' -> '.join(names)}"
        loaded.unreadable.append(IncludeCycle(what, where=str(mark)))
        return []
    if surroundings.read(path) is None:
        what = f"included file {scope.shown(path)} {surroundings.failing(path)}"
        loaded.unreadable.append(FileMissing(what, where=str(mark)))
        return []
    documents = read_documents(path, surroundings)
    loaded.included += len(documents)
    if loaded.included > MAX_INCLUDED:
        what = f"more than {MAX_INCLUDED} files are included"
        raise InvalidValue(what, where=str(mark))
    return documents


def _inner_scope(item: _Item, first: str, path: str, scope: Scope, loaded: Loaded) -> Scope:
    """What paths and variables of an included project are resolved against."""
    directory = os.path.dirname(first)  # noqa: PTH120 - pathlib costs 17 ms
    if item.directory is not None:
        directory = scope.absolute(item.directory)
    environment = scope.environment.inner()
    surroundings = environment.surroundings
    files = [(scope.absolute(written), mark) for written, mark in item.env_files or ()]
    if item.env_files is None:
        default = surroundings.within(directory, ".env")
        if surroundings.read(default) is not None:
            environment.add([default])
    readable = [file for file, _ in files if surroundings.read(file) is not None]
    environment.add(readable)
    for file, mark in files:
        if file not in readable:
            what = f"environment file {scope.shown(file)} {surroundings.failing(file)}"
            loaded.unreadable.append(FileMissing(what, where=str(mark)))
    within = (*scope.within, surroundings.followed(path))
    return scope.inside(directory, environment, within)


def give_contexts(tree: Map, directory: str) -> None:
    """A build without a context is one of the directory of its file, not of the project's."""
    services = tree.get("services")
    for service in services.values() if isinstance(services, Map) else ():
        build: Value = service.get("build") if isinstance(service, Map) else None
        if isinstance(build, Map) and "context" not in build:
            build.put("context", directory, build.mark)
