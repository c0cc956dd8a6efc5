"""A project as frozen data. The classes are imported when they are asked for."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from compose.model.build import Build
    from compose.model.dependencies import Dependencies, Dependency, Edge, Node
    from compose.model.deploy import (
        Deploy,
        DeployLimits,
        DeployReservations,
        DeployRestart,
        Placement,
        RollOut,
    )
    from compose.model.devices import BlockIO, Device, DeviceRequest
    from compose.model.files import FileReference, FileSource
    from compose.model.healthcheck import Healthcheck
    from compose.model.hooks import Hook, WatchRule
    from compose.model.models import LanguageModel, ModelBinding, Provider
    from compose.model.mounts import Mount
    from compose.model.network import Network, ServiceNetwork, Subnet
    from compose.model.options import LoadOptions
    from compose.model.ports import Port
    from compose.model.positions import Positions
    from compose.model.project import Inputs, Limitation, Notice, Project
    from compose.model.resources import Logging, Resources, RestartPolicy
    from compose.model.service import EnvFile, Link, Service
    from compose.model.volume import Volume

_MODULES = {
    "BlockIO": "devices",
    "Build": "build",
    "Dependencies": "dependencies",
    "Dependency": "dependencies",
    "Deploy": "deploy",
    "DeployLimits": "deploy",
    "DeployReservations": "deploy",
    "DeployRestart": "deploy",
    "Device": "devices",
    "DeviceRequest": "devices",
    "Edge": "dependencies",
    "EnvFile": "service",
    "FileReference": "files",
    "FileSource": "files",
    "Healthcheck": "healthcheck",
    "Hook": "hooks",
    "Inputs": "project",
    "LanguageModel": "models",
    "Limitation": "project",
    "Link": "service",
    "LoadOptions": "options",
    "Logging": "resources",
    "ModelBinding": "models",
    "Mount": "mounts",
    "Network": "network",
    "Node": "dependencies",
    "Notice": "project",
    "Placement": "deploy",
    "Port": "ports",
    "Positions": "positions",
    "Project": "project",
    "Provider": "models",
    "Resources": "resources",
    "RestartPolicy": "resources",
    "RollOut": "deploy",
    "Service": "service",
    "ServiceNetwork": "network",
    "Subnet": "network",
    "Volume": "volume",
    "WatchRule": "hooks",
}

__all__ = [
    "BlockIO",
    "Build",
    "Dependencies",
    "Dependency",
    "Deploy",
    "DeployLimits",
    "DeployReservations",
    "DeployRestart",
    "Device",
    "DeviceRequest",
    "Edge",
    "EnvFile",
    "FileReference",
    "FileSource",
    "Healthcheck",
    "Hook",
    "Inputs",
    "LanguageModel",
    "Limitation",
    "Link",
    "LoadOptions",
    "Logging",
    "ModelBinding",
    "Mount",
    "Network",
    "Node",
    "Notice",
    "Placement",
    "Port",
    "Positions",
    "Project",
    "Provider",
    "Resources",
    "RestartPolicy",
    "RollOut",
    "Service",
    "ServiceNetwork",
    "Subnet",
    "Volume",
    "WatchRule",
]


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"compose.model.{_MODULES[name]}"), name)
