"""From options to a project that is ready to be planned: loaded, checked, ordered, pruned."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compose.graph.dependencies import refuse_circles, with_dependencies
from compose.graph.selection import without_unused
from compose.model.load import load_project

if TYPE_CHECKING:
    from compose.model.options import LoadOptions
    from compose.model.project import Project


def load_checked(options: LoadOptions) -> Project:
    """The project without its graph, and without networks and volumes that no service uses unless
    all are wanted.

    Raises a ProjectProblem, or an ExceptionGroup of several.
    """
    project = without_unused(load_project(options))
    if options.consistency:
        refuse_circles(project)
    return project


def load_ordered(options: LoadOptions) -> Project:
    """The same with its graph.

    Where consistency is not asked for, there is none: what is needed may not be there.
    """
    project = load_checked(options)
    return with_dependencies(project) if options.consistency else project
