"""The container engine: all that the front end may use of it.

The names are loaded when they are first asked for (PEP 562): `import engine` is also what the
stage and the monitor do, and they can afford none of what most of these names import.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from engine.build.build import build_image as build_image
    from engine.build.changes import changed_config as changed_config
    from engine.build.checking import check_build as check_build
    from engine.build.commit import CommitSpec as CommitSpec
    from engine.build.commit import commit as commit
    from engine.build.contents import CacheEntry as CacheEntry
    from engine.build.contents import cache_entries as cache_entries
    from engine.build.debugging import FailedStep as FailedStep
    from engine.build.output import export_tree as export_tree
    from engine.build.progress import BuildEvent as BuildEvent
    from engine.build.pruning import Pruned as Pruned
    from engine.build.pruning import prune_cache as prune_cache
    from engine.build.spec import BuildSecret as BuildSecret
    from engine.build.spec import BuildSpec as BuildSpec
    from engine.build.spec import CacheTarget as CacheTarget
    from engine.containers.containers import Containers as Containers
    from engine.containers.events import Event as Event
    from engine.containers.exec import ExecSpec as ExecSpec
    from engine.containers.logs.line import LogLine as LogLine
    from engine.containers.observed import Attachment as Attachment
    from engine.containers.observed import Container as Container
    from engine.containers.observed import Plugged as Plugged
    from engine.containers.observed import PublishedPort as PublishedPort
    from engine.containers.processes import Process as Process
    from engine.containers.repairing import Repaired as Repaired
    from engine.containers.signals import signal_number as signal_number
    from engine.containers.spec import ContainerSpec as ContainerSpec
    from engine.containers.spec import DeviceSpec as DeviceSpec
    from engine.containers.spec import EndpointSpec as EndpointSpec
    from engine.containers.spec import FileSpec as FileSpec
    from engine.containers.spec import HealthcheckSpec as HealthcheckSpec
    from engine.containers.spec import LogSpec as LogSpec
    from engine.containers.spec import Mount as Mount
    from engine.containers.spec import PlugSpec as PlugSpec
    from engine.containers.spec import PortSpec as PortSpec
    from engine.containers.spec import Resources as Resources
    from engine.containers.spec import RestartPolicy as RestartPolicy
    from engine.containers.streams.listening import Listener as Listener
    from engine.containers.streams.session import AttachSpec as AttachSpec
    from engine.containers.usage import Usage as Usage
    from engine.disk import DiskUsage as DiskUsage
    from engine.disk import observe_disk_usage as observe_disk_usage
    from engine.engine import Engine as Engine
    from engine.errors import BuildProblem as BuildProblem
    from engine.errors import ContainerProblem as ContainerProblem
    from engine.errors import ImageProblem as ImageProblem
    from engine.errors import NetworkProblem as NetworkProblem
    from engine.errors import NotRoot as NotRoot
    from engine.errors import Problem as Problem
    from engine.errors import VolumeProblem as VolumeProblem
    from engine.images.image import Image as Image
    from engine.images.registry.artifact import Artifact as Artifact
    from engine.images.registry.artifact import ArtifactFile as ArtifactFile
    from engine.images.registry.artifact import fetch_artifact as fetch_artifact
    from engine.images.registry.docker_config import docker_config_path as docker_config_path
    from engine.images.registry.login import is_logged_in as is_logged_in
    from engine.images.registry.login import log_in as log_in
    from engine.images.registry.login import log_out as log_out
    from engine.images.registry.login import registry_domain as registry_domain
    from engine.images.registry.resolve import pin_reference as pin_reference
    from engine.images.removing import PrunedImages as PrunedImages
    from engine.images.removing import PruneFilter as PruneFilter
    from engine.images.source import parse_source as parse_source
    from engine.kernel.record import Record as Record
    from engine.network.exposure import Way as Way
    from engine.network.exposure import observe_ways as observe_ways
    from engine.network.exposure import ways_to as ways_to
    from engine.network.finding import Finding as Finding
    from engine.network.options import is_interface_name as is_interface_name
    from engine.network.options import is_mac_address as is_mac_address
    from engine.network.ports import has_sctp as has_sctp
    from engine.network.spec import Network as Network
    from engine.network.spec import NetworkSpec as NetworkSpec
    from engine.network.spec import PoolSpec as PoolSpec
    from engine.network.topology.facts import Reach as Reach
    from engine.network.topology.facts import SeenContainer as SeenContainer
    from engine.network.topology.facts import SeenEndpoint as SeenEndpoint
    from engine.network.topology.facts import SeenNetwork as SeenNetwork
    from engine.network.topology.facts import SeenPort as SeenPort
    from engine.network.topology.facts import Topology as Topology
    from engine.network.topology.observe import observe_topology as observe_topology
    from engine.network.trace.facts import Hop as Hop
    from engine.network.trace.facts import Question as Question
    from engine.network.trace.facts import Trace as Trace
    from engine.network.trace.trace import trace as trace
    from engine.oci.__main__ import run_oci as run_oci
    from engine.rootfs.volumes import Volume as Volume
    from engine.state.paths import Roots as Roots
    from engine.state.space import with_disk_problems as with_disk_problems

_HOME = {
    "Artifact": "engine.images.registry.artifact",
    "ArtifactFile": "engine.images.registry.artifact",
    "AttachSpec": "engine.containers.streams.session",
    "Attachment": "engine.containers.observed",
    "BuildEvent": "engine.build.progress",
    "BuildProblem": "engine.errors",
    "BuildSecret": "engine.build.spec",
    "BuildSpec": "engine.build.spec",
    "CacheTarget": "engine.build.spec",
    "CacheEntry": "engine.build.contents",
    "CommitSpec": "engine.build.commit",
    "Container": "engine.containers.observed",
    "ContainerProblem": "engine.errors",
    "ContainerSpec": "engine.containers.spec",
    "Containers": "engine.containers.containers",
    "DeviceSpec": "engine.containers.spec",
    "DiskUsage": "engine.disk",
    "EndpointSpec": "engine.containers.spec",
    "Engine": "engine.engine",
    "Event": "engine.containers.events",
    "ExecSpec": "engine.containers.exec",
    "FailedStep": "engine.build.debugging",
    "FileSpec": "engine.containers.spec",
    "Finding": "engine.network.finding",
    "HealthcheckSpec": "engine.containers.spec",
    "Hop": "engine.network.trace.facts",
    "Image": "engine.images.image",
    "PruneFilter": "engine.images.removing",
    "ImageProblem": "engine.errors",
    "Listener": "engine.containers.streams.listening",
    "LogLine": "engine.containers.logs.line",
    "LogSpec": "engine.containers.spec",
    "Mount": "engine.containers.spec",
    "Network": "engine.network.spec",
    "NetworkProblem": "engine.errors",
    "NetworkSpec": "engine.network.spec",
    "PoolSpec": "engine.network.spec",
    "NotRoot": "engine.errors",
    "PlugSpec": "engine.containers.spec",
    "Plugged": "engine.containers.observed",
    "PortSpec": "engine.containers.spec",
    "Problem": "engine.errors",
    "Process": "engine.containers.processes",
    "Pruned": "engine.build.pruning",
    "PrunedImages": "engine.images.removing",
    "PublishedPort": "engine.containers.observed",
    "Question": "engine.network.trace.facts",
    "Reach": "engine.network.topology.facts",
    "Record": "engine.kernel.record",
    "Repaired": "engine.containers.repairing",
    "Resources": "engine.containers.spec",
    "RestartPolicy": "engine.containers.spec",
    "Roots": "engine.state.paths",
    "SeenContainer": "engine.network.topology.facts",
    "SeenEndpoint": "engine.network.topology.facts",
    "SeenNetwork": "engine.network.topology.facts",
    "SeenPort": "engine.network.topology.facts",
    "Topology": "engine.network.topology.facts",
    "Trace": "engine.network.trace.facts",
    "Usage": "engine.containers.usage",
    "Volume": "engine.rootfs.volumes",
    "VolumeProblem": "engine.errors",
    "Way": "engine.network.exposure",
    "build_image": "engine.build.build",
    "cache_entries": "engine.build.contents",
    "changed_config": "engine.build.changes",
    "check_build": "engine.build.checking",
    "commit": "engine.build.commit",
    "export_tree": "engine.build.output",
    "docker_config_path": "engine.images.registry.docker_config",
    "fetch_artifact": "engine.images.registry.artifact",
    "has_sctp": "engine.network.ports",
    "observe_ways": "engine.network.exposure",
    "observe_topology": "engine.network.topology.observe",
    "is_interface_name": "engine.network.options",
    "is_mac_address": "engine.network.options",
    "is_logged_in": "engine.images.registry.login",
    "log_in": "engine.images.registry.login",
    "log_out": "engine.images.registry.login",
    "observe_disk_usage": "engine.disk",
    "parse_source": "engine.images.source",
    "pin_reference": "engine.images.registry.resolve",
    "prune_cache": "engine.build.pruning",
    "registry_domain": "engine.images.registry.login",
    "run_oci": "engine.oci.__main__",
    "signal_number": "engine.containers.signals",
    "with_disk_problems": "engine.state.space",
    "trace": "engine.network.trace.trace",
    "ways_to": "engine.network.exposure",
}

__all__ = list(_HOME)


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'engine' has no attribute {name!r}")
    import importlib

    value: object = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value
