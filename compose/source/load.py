"""From found files to one merged, checked tree in long forms."""

from __future__ import annotations

import os.path
from typing import TYPE_CHECKING

from compose.errors import InvalidProjectName, raise_all
from compose.source.canonical import Canonical
from compose.source.documents import prepare, read_documents
from compose.source.extends import extend
from compose.source.include import give_contexts, with_included
from compose.source.loaded import Loaded
from compose.source.merge import merge
from compose.source.names import normalized_name
from compose.source.schema import Finding, validate
from compose.source.scope import Scope
from compose.source.support import not_built, without_effect
from compose.source.template import Malformed, Unset, substitute
from compose.source.tree import Map, Path, Seq, find
from compose.source.unique import thin_out

if TYPE_CHECKING:
    from collections.abc import Sequence

    from compose.source.discover import Environment, Found


def load(found: Found, name: str | None, *, variables: bool = True, paths: bool = True) -> Loaded:
    """Read, interpolate, merge and check the files of a project.

    name        as given by -p or COMPOSE_PROJECT_NAME; None: from the files or the directory
    variables   False: leave them in the text, and texts that have some in their short form
    paths       False: leave relative ones as they are

    Raises what makes the rest unreadable: YamlSyntax and the like, problems with variables.
    """
    environment = found.environment
    files = [(path, read_documents(path, environment.surroundings)) for path in found.files]
    documents = [document for _, contents in files for document in contents]
    chosen = name or _own_name(documents, environment)
    loaded = Loaded(name=chosen or _directory_name(found), tree=Map(documents[0].mark))
    if chosen is None and found.real_name is not None:
        text = f"the project is named `{loaded.name}` after a link to `{found.real_name}`"
        loaded.notices.append(("linked-directory", text, found.directory))
    environment.fixed["COMPOSE_PROJECT_NAME"] = loaded.name
    scope = Scope(
        directory=found.directory, environment=environment, variables=variables, paths=paths
    )
    for path, contents in files:
        inner = scope.at(os.path.dirname(path)) if path in found.fetched else scope  # noqa: PTH120
        _assemble(loaded.tree, path, contents, inner, loaded)
        if found.fetched:
            give_contexts(loaded.tree, inner.directory)
    raise_all(loaded.unreadable)
    _check(loaded, variables=variables)
    canonical = Canonical(loaded.tree, variables=variables)
    thin_out(loaded.tree)  # again: written out, more of them are equal
    loaded.problems += [*canonical.problems, *not_built(loaded.tree)]
    for mark, sentence in (*canonical.notices, *without_effect(loaded.tree)):
        loaded.notices.append(("no-effect", sentence, str(mark)))
    return loaded


def _assemble(tree: Map, path: str, documents: Sequence[Map], scope: Scope, loaded: Loaded) -> None:
    """Merge the documents of a file, with what they include and extend, onto `tree`."""
    for document in documents:
        prepare(document, scope, loaded)
        whole = with_included(document, path, scope, loaded, _assemble)
        extend(whole, tree, scope, loaded)
        loaded.problems += merge(tree, whole)


def _own_name(documents: Sequence[Map], environment: Environment) -> str | None:
    """The name that the files give: the last one counts."""
    for document in reversed(documents):
        written = document.get("name")
        if isinstance(written, str) and written:
            where = str(document.values_at["name"])
            try:
                text = substitute(written, environment.find, lambda name: None)
            except (Malformed, Unset):
                return None  # `interpolate` says it with all others
            return _required(normalized_name(text), f"`{text}` has no letter or digit", where)
    return None


def _directory_name(found: Found) -> str:
    base = found.directory.rstrip("/").rpartition("/")[2]
    what = f"no project name can be made of the directory {found.directory}"
    return _required(normalized_name(base), what, None)


def _required(name: str, what: str, where: str | None) -> str:
    if not name:
        raise InvalidProjectName(what, where=where, hint="give one with -p or `name:`")
    return name


def _check(loaded: Loaded, *, variables: bool) -> None:
    """The schema; takes what is wrong out of the tree."""
    tree = loaded.tree
    for section in ("services", "networks", "volumes", "configs", "secrets", "models"):
        entries = tree.get(section)
        loaded.declared[section] = set(entries) if isinstance(entries, Map) else set()
    if isinstance(tree.get("version"), str):
        sentence = "`version` is obsolete and has no effect"
        loaded.notices.append(("obsolete-key", sentence, str(tree.keys_at["version"])))
    thin_out(tree)
    findings = validate(tree)
    if not variables:
        findings = [one for one in findings if not _has_variable(tree, one.path)]
    _remove(loaded, findings)
    tree.drop("version")


def _has_variable(tree: Map, path: Path) -> bool:
    """Whether what a text at `path` will be is not decided yet."""
    value = find(tree, path)
    return isinstance(value, str) and "$" in value


def _remove(loaded: Loaded, findings: Sequence[Finding]) -> None:
    known = {(problem.code, problem.where) for problem in loaded.problems}
    for path, problem in findings:
        if (problem.code, problem.where) not in known:  # inherited, it is there several times
            loaded.problems.append(problem)
            known.add((problem.code, problem.where))
        if path[:1] == ("services",) and len(path) > 1:
            loaded.broken.add(str(path[1]))
    # items of lists from the last: the positions of the others stay
    unusable = {_whole_item(finding.path) for finding in findings}
    for path in sorted(unusable, key=_order, reverse=True):
        _drop(loaded.tree, path)


def _whole_item(path: Path) -> Path:
    """Of a path into an item of a list that of the item, which may need what is wrong in it."""
    lengths = (depth for depth, part in enumerate(path, start=1) if isinstance(part, int))
    return path[: next(lengths, len(path))]


def _order(path: Path) -> tuple[tuple[int, str], ...]:
    return tuple((part, "") if isinstance(part, int) else (-1, part) for part in path)


def _drop(tree: Map, path: Path) -> None:
    node = find(tree, path[:-1])
    last = path[-1] if path else None
    if isinstance(node, Map) and isinstance(last, str):
        node.drop(last)
    elif isinstance(node, Seq) and isinstance(last, int):
        del node[last], node.values_at[last]
