"""One aspect of a project at a time: what the options of `buoy config` for lists print."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from compose.graph.selection import only
from compose.source.variables import find_variables
from compose.ui.tables import format_table

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from compose.model import Project
    from compose.source.tree import Map

_VARIABLE_TITLES = ("NAME", "REQUIRED", "DEFAULT VALUE", "ALTERNATE VALUE")


def lines(args: argparse.Namespace, project: Project) -> Iterable[str]:
    """What is asked for, a line each."""
    if args.hash is not None:
        return _digests(project, args.hash)
    if args.list_services:
        return project.dependencies.services() or sorted(project.services)
    if args.list_volumes:
        return sorted(project.volumes)
    if args.list_networks:
        return sorted(project.networks)
    if args.list_models:
        return sorted(one.model for one in project.models.values())
    if args.list_images:
        return [service.image_name for _, service in sorted(project.services.items())]
    if args.list_environment:
        return environment(project)
    every = (*project.services.values(), *project.disabled.values())
    return sorted({profile for service in every for profile in service.profiles})


def _digests(project: Project, wanted: str) -> Iterable[str]:
    chosen = sorted(project.services) if wanted == "*" else wanted.split(",")
    only(project, chosen)  # refuses names of no service
    return [f"{name} {project.services[name].digest}" for name in chosen]


def environment(project: Project) -> Iterable[str]:
    """The variables that `${NAME}` in the files can mean: the process's, then those of .env."""
    own = {"COMPOSE_PROJECT_NAME": project.name}
    values = {**project.environment, **os.environ, **own}
    return [f"{name}={value}" for name, value in sorted(values.items())]


def variables(tree: Map, form: str | None) -> str:
    """The variables that a project refers to, as a table or as JSON."""
    found = find_variables([tree]).values()
    if form == "json":
        fields = {
            one.name: {
                "Name": one.name,
                "DefaultValue": one.default,
                "PresenceValue": one.alternative,
                "Required": one.required,
            }
            for one in found
        }
        return json.dumps(fields, indent=4, ensure_ascii=False) + "\n"
    rows = [(one.name, str(one.required).lower(), one.default, one.alternative) for one in found]
    return format_table(_VARIABLE_TITLES, rows) + "\n"
