"""From options to a project that is ready to be planned: loaded, checked, ordered, pruned."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compose.graph.dependencies import with_dependencies
from compose.graph.selection import without_unused
from compose.model.load import load_project

if TYPE_CHECKING:
    from compose.model.options import LoadOptions
    from compose.model.project import Project


def load_ordered(options: LoadOptions) -> Project:
    """The project with its graph, without networks and volumes that no service uses.

    Where consistency is not asked for, there is no graph: what is needed may not be there.

    Raises a ProjectProblem, or an ExceptionGroup of several.
    """
    project = without_unused(load_project(options))
    return with_dependencies(project) if options.consistency else project
