"""What loading the files of a project has come to so far."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from compose.errors import ProjectProblem
    from compose.source.tree import Map, Mark


@dataclass(slots=True, kw_only=True)
class Loaded:
    """A project file as a tree.

    tree        merged, in long forms; nodes with a problem are left out
    problems    what is wrong so far; checks that come later add to them
    unreadable  problems that leave too little for later checks to make sense of
    broken      services that lost a node to a problem
    declared    names of everything the file has below each top-level key, broken or not
    notices     (code, sentence, position) of what should be known but stops nothing
    included    number of documents that were included
    values      of variables that secrets and configs are made of, by where they are named: an
                included file has an environment of its own
    """

    name: str
    tree: Map
    problems: list[ProjectProblem] = field(default_factory=list)
    unreadable: list[ProjectProblem] = field(default_factory=list)
    broken: set[str] = field(default_factory=set)
    declared: dict[str, set[str]] = field(default_factory=dict)
    notices: list[tuple[str, str, str]] = field(default_factory=list)
    included: int = 0
    values: dict[Mark, str | None] = field(default_factory=dict)
