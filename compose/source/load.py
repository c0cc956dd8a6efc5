"""From found files to one merged, checked tree in long forms."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from compose.errors import InvalidProjectName, InvalidValue, ProjectProblem, raise_all
from compose.source.canonical import Canonical
from compose.source.cast import cast
from compose.source.interpolate import interpolate
from compose.source.merge import merge
from compose.source.names import normalized_name
from compose.source.schema import Finding, validate
from compose.source.support import refused, without_effect
from compose.source.template import Malformed, Unset, substitute
from compose.source.tree import Map, Path, Seq, find
from compose.source.yaml import parse_documents

if TYPE_CHECKING:
    from collections.abc import Sequence

    from compose.source.discover import Environment, Found


@dataclass(slots=True, kw_only=True)
class Loaded:
    """A project file as a tree.

    tree       merged, in long forms; nodes with a problem are left out
    problems   what is wrong so far; checks that come later add to them
    broken     services that lost a node to a problem
    declared   names of everything the file has below each top-level key, broken or not
    notices    (code, sentence, position) of what should be known but stops nothing
    """

    name: str
    tree: Map
    problems: list[ProjectProblem] = field(default_factory=list)
    broken: set[str] = field(default_factory=set)
    declared: dict[str, set[str]] = field(default_factory=dict)
    notices: list[tuple[str, str, str]] = field(default_factory=list)


def load(found: Found, name: str | None, *, variables: bool = True) -> Loaded:
    """Read, interpolate, merge and check the files of a project.

    name        as given by -p or COMPOSE_PROJECT_NAME; None: from the files or the directory
    variables   False: leave them in the text, and texts that have some in their short form

    Raises what makes the rest unreadable: YamlSyntax and the like, problems with variables.
    """
    documents = [document for path in found.files for document in _documents(found, path)]
    chosen = name or _own_name(documents, found.environment)
    loaded = Loaded(name=chosen or _directory_name(found), tree=Map(documents[0].mark))
    if chosen is None and found.real_name is not None:
        text = f"the project is named `{loaded.name}` after a link to `{found.real_name}`"
        loaded.notices.append(("linked-directory", text, found.directory))
    found.environment.fixed["COMPOSE_PROJECT_NAME"] = loaded.name
    _resolve(documents, found.environment, loaded, variables=variables)
    for document in documents:
        loaded.problems += merge(loaded.tree, document)
    _check(loaded, variables=variables)
    canonical = Canonical(loaded.tree, variables=variables)
    loaded.problems += canonical.problems
    for mark, sentence in (*canonical.notices, *without_effect(loaded.tree)):
        loaded.notices.append(("no-effect", sentence, str(mark)))
    return loaded


def _documents(found: Found, path: str) -> list[Map]:
    surroundings = found.environment.surroundings
    shown = "stdin" if path == "-" else surroundings.shown(path)
    documents = parse_documents(surroundings.read(path) or "", shown)
    if not documents:
        raise InvalidValue("the project file is empty", where=shown, hint="it begins `services:`")
    return documents


def _own_name(documents: Sequence[Map], environment: Environment) -> str | None:
    """The name that the files give: the last one counts."""
    for document in reversed(documents):
        written = document.get("name")
        if isinstance(written, str):
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


def _resolve(
    documents: Sequence[Map], environment: Environment, loaded: Loaded, *, variables: bool
) -> None:
    """Variables and types of every document. Raises all problems with them together."""
    problems: list[ProjectProblem] = []
    for document in documents:
        if variables:
            problems += interpolate(document, environment.find, environment.missing)
        problems += cast(document, loaded.notices)
    raise_all(problems)


def _check(loaded: Loaded, *, variables: bool) -> None:
    """The schema, and keys that are not built; takes what is wrong out of the tree."""
    tree = loaded.tree
    for section in ("services", "networks", "volumes"):
        entries = tree.get(section)
        loaded.declared[section] = set(entries) if isinstance(entries, Map) else set()
    if isinstance(tree.get("version"), str):
        sentence = "`version` is obsolete and has no effect"
        loaded.notices.append(("obsolete-key", sentence, str(tree.keys_at["version"])))
    findings = validate(tree)
    if not variables:
        findings = [one for one in findings if not _has_variable(tree, one.path)]
    _remove(loaded, findings)
    _remove(loaded, refused(tree))
    tree.drop("version")


def _has_variable(tree: Map, path: Path) -> bool:
    """Whether what a text at `path` will be is not decided yet."""
    value = find(tree, path)
    return isinstance(value, str) and "$" in value


def _remove(loaded: Loaded, findings: Sequence[Finding]) -> None:
    for path, problem in findings:
        loaded.problems.append(problem)
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
