"""A project as frozen data. The classes are imported when they are asked for."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from compose.model.build import Build
    from compose.model.dependencies import Dependencies, Dependency, Edge, Node
    from compose.model.healthcheck import Healthcheck
    from compose.model.mounts import Mount
    from compose.model.network import Network, ServiceNetwork
    from compose.model.options import LoadOptions
    from compose.model.ports import Port
    from compose.model.project import Inputs, Notice, Project
    from compose.model.resources import Logging, Resources, RestartPolicy
    from compose.model.service import Link, Service
    from compose.model.volume import Volume

_MODULES = {
    "Build": "build",
    "Dependencies": "dependencies",
    "Dependency": "dependencies",
    "Edge": "dependencies",
    "Healthcheck": "healthcheck",
    "Inputs": "project",
    "Link": "service",
    "LoadOptions": "options",
    "Logging": "resources",
    "Mount": "mounts",
    "Network": "network",
    "Node": "dependencies",
    "Notice": "project",
    "Port": "ports",
    "Project": "project",
    "Resources": "resources",
    "RestartPolicy": "resources",
    "Service": "service",
    "ServiceNetwork": "network",
    "Volume": "volume",
}

__all__ = [
    "Build",
    "Dependencies",
    "Dependency",
    "Edge",
    "Healthcheck",
    "Inputs",
    "Link",
    "LoadOptions",
    "Logging",
    "Mount",
    "Network",
    "Node",
    "Notice",
    "Port",
    "Project",
    "Resources",
    "RestartPolicy",
    "Service",
    "ServiceNetwork",
    "Volume",
]


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"compose.model.{_MODULES[name]}"), name)
