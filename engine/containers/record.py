"""The launch record: what is asked of a container, as an OCI runtime configuration.

`config.json` in the container's run directory, with a section `buoy` for what the runtime
specification has no place for. Source: runtime-spec 1.2, config.md and config-linux.md.
"""

from __future__ import annotations

import os
import resource
import signal
from typing import TYPE_CHECKING, Any

from engine.cgroups import cpu
from engine.cgroups.hierarchy import Hierarchies
from engine.containers import seccomp
from engine.containers.mounts import default_mounts, user_mounts
from engine.errors import ContainerProblem
from engine.kernel import capabilities
from engine.rootfs import masks

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from engine.containers.spec import ContainerSpec, Resources
    from engine.images.config import HealthcheckConfig, ImageConfig
    from engine.images.image import Image
    from engine.state.paths import Roots

OCI_VERSION = "1.2.0"
DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_MOST_FILES = 1_048_576
_LEAST_MEMORY_BYTES = 6 * 1024 * 1024

# Always allowed: making nodes of any kind, and the devices that every container has.
_DEVICES = (
    ("c", None, None, "m"),
    ("b", None, None, "m"),
    *(("c", 1, minor, "rwm") for minor in (3, 5, 7, 8, 9)),
    ("c", 5, 0, "rwm"),
    ("c", 5, 1, "rwm"),
    ("c", 5, 2, "rwm"),
    ("c", 136, None, "rwm"),
    ("c", 10, 200, "rwm"),
)


def build_record(
    roots: Roots,
    container_id: str,
    spec: ContainerSpec,
    image: Image | None,
    network: Mapping[str, Any],
    volumes: Mapping[int, str],
) -> dict[str, Any]:
    """config.json for one container.

    network  the section that Networks.attach returned
    volumes  index of a mount in `spec.mounts` -> name of the volume that serves it

    Raises ContainerProblem where something asked for cannot be.
    """
    config = image.config if image else _no_config()
    granted = _capabilities(spec)
    argv = command(spec, config)
    hierarchies = Hierarchies.detect()
    lowers = list(spec.lowers or (image.lowers if image else ()))
    record: dict[str, Any] = {
        "ociVersion": OCI_VERSION,
        "process": _process(container_id, spec, config, argv, granted),
        "root": {
            "path": f"{roots.container_run(container_id)}/rootfs",
            "readonly": spec.read_only,
        },
        "mounts": default_mounts(spec, hierarchies)
        + user_mounts(roots, container_id, spec, volumes),
        "linux": _linux(roots, container_id, spec, lowers),
        "annotations": dict(spec.labels),
        "buoy": _ours(
            roots, container_id, spec, config, argv, network, lowers, granted, hierarchies
        ),
    }
    if spec.network != "host" or spec.hostname:
        record["hostname"] = spec.hostname or container_id[:12]
    return record


def command(spec: ContainerSpec, config: ImageConfig) -> list[str]:
    """argv: a given entrypoint replaces the image's and drops its command."""
    entrypoint, arguments = config.entrypoint or (), config.cmd or ()
    if spec.entrypoint is not None:
        entrypoint, arguments = spec.entrypoint, ()
    if spec.command is not None:
        arguments = spec.command
    argv = [*entrypoint, *arguments]
    if not argv:
        raise ContainerProblem(
            f"container {spec.name}: no command specified",
            hint="the image has none either: give one",
            code="no-command",
        )
    return argv


def _no_config() -> ImageConfig:
    from engine.images.config import ImageConfig

    return ImageConfig()


def _process(
    container_id: str,
    spec: ContainerSpec,
    config: ImageConfig,
    argv: list[str],
    granted: list[str],
) -> dict[str, Any]:
    user = config.user if spec.user is None else spec.user
    names = [f"CAP_{name}" for name in granted]
    return {
        "terminal": spec.tty,
        "user": {"uid": 0, "gid": 0, "username": user, "groups": list(spec.group_add)},
        "args": argv,
        "env": _environment(container_id, spec, config),
        "cwd": os.path.join("/", spec.working_dir or config.working_dir or "/"),
        "capabilities": {
            "bounding": names,
            "effective": names,
            "permitted": names,
            "inheritable": [],
            "ambient": [],
        },
        "rlimits": _rlimits(spec.ulimits),
        "noNewPrivileges": _no_new_privileges(spec.security_options),
        "oomScoreAdj": spec.oom_score_adj,
    }


def _environment(container_id: str, spec: ContainerSpec, config: ImageConfig) -> list[str]:
    """In this order: ours, the image's, the user's; a later one replaces in place."""
    environment: dict[str, str | None] = {
        "PATH": DEFAULT_PATH,
        "HOSTNAME": spec.hostname or container_id[:12],
    }
    if spec.tty:
        environment["TERM"] = "xterm"
    for entry in config.env:
        key, _, value = entry.partition("=")
        environment[key] = value
    environment |= spec.environment
    return [f"{key}={value}" for key, value in environment.items() if value is not None]


def _capabilities(spec: ContainerSpec) -> list[str]:
    """Default set, cap_add and cap_drop by Docker's rules (engine.md A6.2)."""
    available = capabilities.bounding()
    if spec.privileged:
        return available
    added = [_capability(spec, word) for word in spec.cap_add]
    dropped = [_capability(spec, word) for word in spec.cap_drop]
    if "ALL" in added:
        names: Iterable[str] = (n for n in available if n not in dropped)
    elif "ALL" in dropped:
        names = added
    else:
        names = [n for n in capabilities.DEFAULT if n not in dropped] + added
    granted = list(dict.fromkeys(names))
    missing = [n for n in granted if n not in available]
    for name in missing:
        if name in added:
            raise ContainerProblem(
                f"container {spec.name}: capability {name} is not available on this host",
                hint="Buoy itself runs without it",
                code="capability-not-available",
            )
    return [n for n in granted if n in available]


def _capability(spec: ContainerSpec, word: str) -> str:
    name = word.upper().removeprefix("CAP_")
    if name != "ALL" and name not in capabilities.NUMBERS:
        raise ContainerProblem(
            f'container {spec.name}: unknown capability: "{word}"',
            hint="capabilities(7) lists them; CAP_ in front is optional",
            code="unknown-capability",
        )
    return name


def _rlimits(ulimits: Mapping[str, tuple[int, int]]) -> list[dict[str, Any]]:
    """Defaults of our own, since a shell's would leak in otherwise; the user's replace by name."""
    hard_files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    most = hard_files if hard_files >= 0 else _MOST_FILES
    entries: dict[str, dict[str, Any]] = {}
    for name, soft, hard in (
        ("nofile", min(_MOST_FILES, most), most),
        *((n, _hard(n), _hard(n)) for n in ("nproc", "core")),
    ):
        kind = f"RLIMIT_{name.upper()}"
        entries[name] = {"type": kind, "soft": soft, "hard": hard, "default": True}
    for name, (soft, hard) in ulimits.items():
        kind = f"RLIMIT_{name.upper()}"
        if not hasattr(resource, kind):
            raise ContainerProblem(
                f"there is no ulimit `{name}`",
                hint="setrlimit(2) lists them: nofile, nproc, core, memlock, ...",
                code="unknown-ulimit",
            )
        entries[name] = {"type": kind, "soft": soft, "hard": hard}
    return list(entries.values())


def _hard(name: str) -> int:
    return resource.getrlimit(getattr(resource, f"RLIMIT_{name.upper()}"))[1]


def _no_new_privileges(options: Iterable[str]) -> bool:
    words = [option.replace("=", ":") for option in options]
    return "no-new-privileges" in words or "no-new-privileges:true" in words


def _linux(
    roots: Roots, container_id: str, spec: ContainerSpec, lowers: list[str]
) -> dict[str, Any]:
    unconfined = spec.privileged or "systempaths=unconfined" in spec.security_options
    kinds = ["pid", "mount", "ipc", "cgroup"]
    if spec.network != "host":
        kinds += ["network", "uts"]
    return {
        "namespaces": [{"type": kind} for kind in kinds],
        "cgroupsPath": f"/{roots.kernel_name}/{container_id}",
        "resources": _resources(spec.resources, spec.name),
        "sysctl": dict(spec.sysctls),
        "maskedPaths": _hidden(roots, lowers) + ([] if unconfined else list(masks.MASKED)),
        "readonlyPaths": [] if unconfined else list(masks.READ_ONLY),
    }


def _hidden(roots: Roots, lowers: list[str]) -> list[str]:
    """Our own state, where a container's root is a directory of the host that contains it."""
    found = []
    for lower in lowers:
        for ours in (roots.root, roots.run_root):
            inside = os.path.relpath(os.path.realpath(ours), os.path.realpath(lower))
            if not inside.startswith(".."):
                found.append(f"/{inside}")
    return found


def _resources(resources: Resources, name: str) -> dict[str, Any]:
    """`linux.resources`, with Docker's defaults and checks (engine.md A15.7)."""
    described: dict[str, Any] = {"devices": [{"allow": False, "access": "rwm"}, *_device_rules()]}
    memory_bytes = resources.memory_bytes
    if memory_bytes:
        if memory_bytes < _LEAST_MEMORY_BYTES:
            raise ContainerProblem(
                f"container {name}: a memory limit of {memory_bytes} bytes is too small to run in",
                hint="the least is 6m",
                code="memory-limit",
            )
        swap_bytes = resources.memory_swap_bytes or 2 * memory_bytes
        described["memory"] = {"limit": memory_bytes, "swap": swap_bytes}
    if resources.memory_reservation_bytes:
        described.setdefault("memory", {})["reservation"] = resources.memory_reservation_bytes
    if resources.cpus:
        try:
            quota_us = cpu.quota(resources.cpus)
        except ValueError as error:
            raise ContainerProblem(f"container {name}: {error}", code="cpus") from None
        described["cpu"] = {"quota": quota_us, "period": cpu.DEFAULT_PERIOD_US}
    if resources.cpu_shares:
        described.setdefault("cpu", {})["shares"] = resources.cpu_shares
    if resources.pids is not None:
        described["pids"] = {"limit": resources.pids}
    return described


def _device_rules() -> Iterable[dict[str, Any]]:
    for kind, major, minor, access in _DEVICES:
        rule: dict[str, Any] = {"allow": True, "type": kind, "access": access}
        if major is not None:
            rule["major"] = major
        if minor is not None:
            rule["minor"] = minor
        yield rule


def _ours(
    roots: Roots,
    container_id: str,
    spec: ContainerSpec,
    config: ImageConfig,
    network: Mapping[str, Any],
    lowers: list[str],
    granted: list[str],
    hierarchies: Hierarchies,
) -> dict[str, Any]:
    directory = roots.container(container_id)
    unconfined = spec.privileged or "seccomp=unconfined" in spec.security_options
    confined = seccomp.is_available() and not unconfined
    return {
        "id": container_id,
        "name": spec.name,
        "directory": directory,
        "overlay": {
            "lowers": lowers,
            "upper": f"{directory}/upper",
            "work": f"{directory}/work",
        },
        "cgroup_parent": roots.kernel_name,
        "cgroup_controllers": list(dict.fromkeys(_joint(hierarchies))),
        "network": dict(network),
        "seccomp": seccomp.filter_file(roots, granted) if confined else None,
        "restart": {"name": spec.restart.name, "max_attempts": spec.restart.max_attempts},
        "health": _health(spec, config),
        "stop_signal": signal_number(spec.stop_signal or config.stop_signal or "SIGTERM"),
        "stop_grace_s": spec.stop_grace_s,
        "init": spec.init,
        "own_dev": any(mount.target == "/dev" for mount in spec.mounts),
        "stdin_open": spec.stdin_open,
        "log": {
            "directory": directory,
            "max_size_bytes": spec.log.max_size_bytes,
            "max_files": spec.log.max_files,
        },
    }


def _joint(hierarchies: Hierarchies) -> Iterable[str]:
    """The v1 hierarchies, each with all of its controllers: "cpu,cpuacct"."""
    for point in hierarchies.v1.values():
        yield ",".join(name for name, other in hierarchies.v1.items() if other == point)


def _health(spec: ContainerSpec, config: ImageConfig) -> dict[str, Any] | None:
    """The check with its command as argv; the image's where the user gave no test."""
    given, image = spec.healthcheck, config.healthcheck
    test = given.test if given and given.test else image.test if image else ()
    if not test or test[0] == "NONE":
        return None
    shell = config.shell or ("/bin/sh", "-c")
    argv = list(test[1:]) if test[0] == "CMD" else [*shell, *test[1:]]
    if given is not None:
        return {
            "test": argv,
            "interval_s": given.interval_s,
            "timeout_s": given.timeout_s,
            "start_period_s": given.start_period_s,
            "start_interval_s": given.start_interval_s,
            "retries": given.retries,
        }
    assert image is not None
    return {"test": argv, **_image_timing(image)}


def _image_timing(image: HealthcheckConfig) -> dict[str, Any]:
    return {
        "interval_s": image.interval_s or 30.0,
        "timeout_s": image.timeout_s or 30.0,
        "start_period_s": image.start_period_s or 0.0,
        "start_interval_s": image.start_interval_s or 5.0,
        "retries": image.retries or 3,
    }


def signal_number(text: str) -> int:
    """`SIGTERM`, `term`, `15`, `SIGRTMIN+3` -> the number. Raises ContainerProblem."""
    word = text.strip().upper()
    if word.isdecimal() and 0 < int(word) < signal.NSIG:
        return int(word)
    name = word.removeprefix("SIG")
    base, sign, offset = name.partition("+") if "+" in name else name.partition("-")
    try:
        number = int(getattr(signal, f"SIG{base}"))
    except AttributeError:
        number = 0
    if number and sign:
        number += int(offset) if sign == "+" else -int(offset)
    if not 0 < number < signal.NSIG:
        raise ContainerProblem(
            f"there is no signal `{text}`",
            hint="signal(7) lists them; SIG in front is optional",
            code="unknown-signal",
        )
    return number
