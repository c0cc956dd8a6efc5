"""The launch record: what is asked of a container, as an OCI runtime configuration.

`config.json` in the container's run directory, with a section `buoy` for what the runtime
specification has no place for. Source: runtime-spec 1.2, config.md and config-linux.md.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from engine.cgroups.hierarchy import Hierarchies
from engine.containers import cdi, confinement, modes, seccomp
from engine.containers.checks import describe_check
from engine.containers.devices import Devices
from engine.containers.limits import limits
from engine.containers.logs.section import log_section
from engine.containers.mounts import default_mounts, user_mounts
from engine.containers.program import describe_program, environment_of, hostname_of
from engine.containers.remap import mappings
from engine.containers.security import Security, security_of
from engine.containers.signals import signal_number
from engine.errors import ContainerProblem
from engine.kernel.record import Record
from engine.rootfs import masks

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from engine.containers.spec import ContainerSpec
    from engine.images.config import ImageConfig
    from engine.images.image import Image
    from engine.state.paths import Roots

EMPTY_LOWER = "lower"  # of an image without layers: an overlay needs one
SYSTEMD = "/run/systemd/system"  # sd_booted(3): it is there where systemd is in charge
OCI_VERSION = "1.2.0"


class Surroundings(Record):
    """What of the launch record other parts of the engine have made for the container.

    network  the section that Networks.attach returned
    mounted  names of the volumes whose content is elsewhere
    layers   index of a mount in `spec.mounts` -> layers, top first, of the image that it shows
    donors   what `modes.find_donors` has found
    network_owner   what `guests.network_owner` has found
    """

    network: Mapping[str, Any]
    mounted: Collection[str]
    layers: Mapping[int, Sequence[str]]
    donors: Mapping[str, str]
    network_owner: str


def build_record(
    roots: Roots, container_id: str, spec: ContainerSpec, image: Image | None, around: Surroundings
) -> dict[str, Any]:
    """config.json for one container. Raises ContainerProblem for what cannot be."""
    config = image.config if image else _no_config()
    granted, security = confinement.capabilities_of(spec), security_of(spec)
    edits, hierarchies = cdi.find_edits(spec), Hierarchies.detect()
    lowers = list(spec.lowers or (image.lowers if image else ()))
    lowers = lowers or [f"{roots.container(container_id)}/{EMPTY_LOWER}"]
    record: dict[str, Any] = {
        "ociVersion": OCI_VERSION,
        "process": describe_program(
            container_id, spec, config, granted, security, edits.environment
        ),
        "root": {
            "path": f"{roots.container_run(container_id)}/rootfs",
            "readonly": spec.read_only,
        },
        "mounts": default_mounts(spec, hierarchies, around.donors, security)
        + user_mounts(roots, container_id, spec, around)
        + edits.mounts,
        "linux": _namespaced(roots, container_id, spec, around.donors)
        | _devices(spec, edits)
        | _hidden_paths(roots, lowers, security),
        "annotations": dict(spec.labels),
        "buoy": _ours(roots, container_id, spec, config, around.network, lowers, hierarchies),
    }
    program, flags = seccomp.filter_file(roots, spec, granted, security.seccomp)
    record["buoy"]["seccomp"], record["process"]["filter_flags"] = program, flags
    if modes.owns(spec, "uts"):
        record["hostname"] = hostname_of(container_id, spec)
        if spec.domainname:
            record["domainname"] = spec.domainname
    return record


def _no_config() -> ImageConfig:
    from engine.images.config import ImageConfig

    return ImageConfig()


def _namespaced(
    roots: Roots, container_id: str, spec: ContainerSpec, donors: Mapping[str, str]
) -> dict[str, Any]:
    return {
        "namespaces": modes.namespaces(spec, donors),
        "cgroupsPath": f"/{cgroup_parent(roots, spec)}/{container_id}",
        "sysctl": confinement.sysctls(spec),
        **mappings(spec),
    }


def _devices(spec: ContainerSpec, edits: cdi.Edits) -> dict[str, Any]:
    found = Devices(spec, edits.nodes)
    return {
        "devices": found.nodes,
        "resources": {**limits(spec.resources, spec.name), "devices": found.rules},
    }


def _hidden_paths(roots: Roots, lowers: list[str], security: Security) -> dict[str, Any]:
    masked, read_only = [*masks.masked_paths()], list(masks.READ_ONLY)
    if security.unconfined_paths:
        masked, read_only = [], []
    return {"maskedPaths": _own_state(roots, lowers) + masked, "readonlyPaths": read_only}


def cgroup_parent(roots: Roots, spec: ContainerSpec) -> str:
    """Where its cgroup is, in every hierarchy. A slice of systemd lies in those that its name
    says: `a-b.slice` in `a.slice`."""
    given = spec.cgroup_parent
    if not given.endswith(".slice") or "/" in given:
        return os.path.normpath(f"/{given}").lstrip("/") if given else roots.kernel_name
    words = given.removesuffix(".slice").split("-")
    return "/".join("-".join(words[: n + 1]) + ".slice" for n in range(len(words)))


def _own_state(roots: Roots, lowers: list[str]) -> list[str]:
    """Our own state, where a container's root is a directory of the host that contains it."""
    found = []
    for lower in lowers:
        for ours in (roots.root, roots.run_root):
            inside = os.path.relpath(os.path.realpath(ours), os.path.realpath(lower))
            if not inside.startswith(".."):
                found.append(f"/{inside}")
    return found


def _ours(
    roots: Roots,
    container_id: str,
    spec: ContainerSpec,
    config: ImageConfig,
    network: Mapping[str, Any],
    lowers: list[str],
    hierarchies: Hierarchies,
) -> dict[str, Any]:
    directory = roots.container(container_id)
    environment = environment_of(container_id, spec, config)
    return {
        "id": container_id,
        "name": spec.name,
        "directory": directory,
        "overlay": {
            "lowers": lowers,
            "upper": f"{directory}/upper",
            "work": f"{directory}/work",
        },
        "cgroup_parent": cgroup_parent(roots, spec),
        "keep_cgroup_parent": bool(spec.cgroup_parent),
        "monitor_group": roots.kernel_name if os.path.isdir(SYSTEMD) else "",
        "cgroup_controllers": hierarchies.joint(),
        "network": dict(network),
        "restart": {"name": spec.restart.name, "max_attempts": spec.restart.max_attempts},
        "health": describe_check(spec.healthcheck, config),
        "stop_signal": signal_number(spec.stop_signal or config.stop_signal or "SIGTERM"),
        "stop_signal_given": bool(spec.stop_signal or config.stop_signal),
        "stop_grace_s": spec.stop_grace_s,
        "init": spec.init and modes.owns(spec, "pid"),
        "shares_pid": not modes.owns(spec, "pid"),
        "keyring": True,
        "own_dev": any(mount.target == "/dev" for mount in spec.mounts),
        "stdin_open": spec.stdin_open,
        "stdin_once": spec.stdin_once,
        "exposed": _exposed(spec, config),
        "log": log_section(container_id, spec, directory, environment),
    }


def _exposed(spec: ContainerSpec, config: ImageConfig) -> list[tuple[int, str]]:
    """`8000-8010/udp` and the like, one by one. Raises ContainerProblem for what is no port."""
    if spec.network != "networks":
        return []
    found = set()
    for text in (*config.exposed_ports, *spec.expose):
        ports, _, protocol = text.partition("/")
        first, _, last = ports.partition("-")
        if not (first.isdecimal() and (last or first).isdecimal()):
            raise ContainerProblem(
                f"container {spec.name}: `{text}` is not a port to expose",
                hint="as in 3306, 53/udp or 8000-8010",
                code="invalid-port",
            )
        found |= {(port, protocol or "tcp") for port in range(int(first), int(last or first) + 1)}
    return sorted(found)
