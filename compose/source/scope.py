"""What the relative paths and variables of a document are resolved against."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from compose.source.discover import Environment


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """The surroundings of the documents of one project: the whole one, or one that is included.

    directory     absolute; relative paths are resolved against it
    environment   values of variables
    variables     False: they are left in the text
    paths         False: only those of files that are to be read are made absolute
    within        real paths of the files that include this one, the outermost first
    """

    directory: str
    environment: Environment
    variables: bool = True
    paths: bool = True
    within: tuple[str, ...] = ()

    def at(self, directory: str) -> Scope:
        """The same for a file whose relative paths start from another directory."""
        return replace(self, directory=directory)

    def inside(self, directory: str, environment: Environment, within: tuple[str, ...]) -> Scope:
        """The scope of a project that a file of this one includes."""
        return replace(self, directory=directory, environment=environment, within=within)

    def absolute(self, path: str) -> str:
        """A path made absolute."""
        return self.environment.surroundings.within(self.directory, path)

    def shown(self, path: str) -> str:
        """A path as messages name it."""
        return self.environment.surroundings.shown(path)
