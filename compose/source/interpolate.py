"""Variables in the values of a tree (compose-file.md 11)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compose.errors import BadVariable, ProjectProblem, RequiredVariable
from compose.source.template import Malformed, Unset, substitute
from compose.source.tree import Map, Mark, Path, Seq, Value, dotted

if TYPE_CHECKING:
    from collections.abc import Callable

    from compose.source.template import Lookup


def interpolate(
    tree: Map, lookup: Lookup, missing: Callable[[str, str], None]
) -> list[ProjectProblem]:
    """Replace the variables in every string value of `tree`, in place.

    missing   told each unset variable that is replaced by nothing, and where

    Keys are left alone. A string that cannot be resolved stays as it is; the problems are returned.
    """
    problems: list[ProjectProblem] = []

    def resolve(value: Value, mark: Mark, path: Path) -> Value:
        if isinstance(value, Map):
            for key, inner in value.items():
                value[key] = resolve(inner, value.values_at[key], (*path, key))
        elif isinstance(value, Seq):
            for index, (inner, at) in enumerate(list(value.items())):
                value[index] = resolve(inner, at, (*path, index))
        elif isinstance(value, str) and "$" in value:
            try:
                return substitute(value, lookup, lambda name: missing(name, str(mark)))
            except (Malformed, Unset) as error:
                problems.append(_problem(error, mark, path))
        return value

    resolve(tree, tree.mark, ())
    return problems


def _problem(error: Malformed | Unset, mark: Mark, path: Path) -> ProjectProblem:
    if isinstance(error, Unset):
        what = f"{dotted(path)}: required variable `{error.name}` has no value"
        if error.message:
            what += f": {error.message}"
        hint = f"set {error.name} in the environment or in .env"
        return RequiredVariable(what, where=str(mark), hint=hint)
    hint = "write `$$` where a dollar sign is meant"
    return BadVariable(f"{dotted(path)}: {error}", where=str(mark), hint=hint)
