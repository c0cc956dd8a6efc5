"""The `mounts` of a launch record: those every container has, then those it asks for."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from engine.containers.files import file_mounts
from engine.containers.propagation import check_propagation
from engine.containers.remap import host_root
from engine.errors import ContainerProblem
from engine.kernel.mountoptions import FLAGS
from engine.kernel.mounts import PROPAGATION
from engine.state.paths import ensure_directory

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from engine.cgroups.hierarchy import Hierarchies
    from engine.containers.record import Surroundings
    from engine.containers.security import Security
    from engine.containers.spec import ContainerSpec, Mount
    from engine.state.paths import Roots

# Files that we write for each container, under its durable directory (engine.md A8.6).
OWN_FILES = ("hosts", "hostname", "resolv.conf")
_KERNEL = ["nosuid", "noexec", "nodev"]
_PROPAGATIONS = tuple(word for word in PROPAGATION if not word.endswith("unbindable"))
IMAGE_MOUNTS = "image"  # in the run directory
_TMPFS_DATA = ("size", "nr_blocks", "nr_inodes", "mode", "uid", "gid", "mpol", "huge")


def default_mounts(
    spec: ContainerSpec, hierarchies: Hierarchies, donors: Mapping[str, str], security: Security
) -> list[dict[str, Any]]:
    """In Docker's order (engine.md A2.1); one that the user mounts over is left out."""
    read_only = [] if spec.privileged else ["ro"]
    groups = [] if security.writable_cgroups else ["ro"]
    dev = ["nosuid", "strictatime", "mode=755", "size=65536k"]
    pts = ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]
    cgroup = "cgroup2" if hierarchies.is_pure_v2 else "cgroup"
    mounts = [
        _entry("/proc", "proc", "proc", _KERNEL),
        _entry("/dev", "tmpfs", "tmpfs", dev),
        _entry("/dev/pts", "devpts", "devpts", pts),
        _entry("/sys", "sysfs", "sysfs", [*_KERNEL, *read_only]),
        _entry("/sys/fs/cgroup", cgroup, "cgroup", [*_KERNEL, *groups]),
        _entry("/dev/mqueue", "mqueue", "mqueue", _KERNEL),
        *_shared_memory(spec, donors),
    ]
    targets = {os.path.normpath(mount.target) for mount in spec.mounts}
    own_dev = "/dev" in targets
    return [
        entry
        for entry in mounts
        if entry["destination"] not in targets
        and not (own_dev and entry["destination"].startswith("/dev/"))
    ]


def _shared_memory(spec: ContainerSpec, donors: Mapping[str, str]) -> list[dict[str, Any]]:
    """/dev/shm belongs to the ipc namespace: it is shared with it (engine.md A2.3)."""
    if spec.ipc_mode == "none":
        return []
    if "ipc" in donors:
        return [{**_entry("/dev/shm", "bind", "/dev/shm", ["bind"]), "donor": donors["ipc"]}]
    if spec.ipc_mode == "host":
        return [_entry("/dev/shm", "bind", "/dev/shm", ["rbind", "rprivate"])]
    size = f"size={spec.shm_size_bytes}"
    return [_entry("/dev/shm", "tmpfs", "shm", [*_KERNEL, "mode=1777", size])]


def user_mounts(
    roots: Roots,
    container_id: str,
    spec: ContainerSpec,
    around: Surroundings,
) -> list[dict[str, Any]]:
    """What is asked for, parents before children, and our own files beneath them."""
    targets = {os.path.normpath(mount.target) for mount in spec.mounts}
    directory = roots.container(around.network_owner)
    bind = ["rbind", "rprivate", *(["rro"] if spec.read_only else [])]
    entries = [
        {**_entry(f"/etc/{name}", "bind", f"{directory}/{name}", bind), "own": True}
        for name in OWN_FILES
        if f"/etc/{name}" not in targets
    ]
    asked = []
    for index, mount in enumerate(spec.mounts):
        if mount.type == "image":
            point = f"{roots.container_run(container_id)}/{IMAGE_MOUNTS}"
            asked.append(_image_mount(spec, mount, list(around.layers[index]), point))
        else:
            asked.append(_user_mount(roots, spec, mount, around.mounted))
    asked += file_mounts(roots, container_id, spec.files)
    return entries + sorted(asked, key=lambda entry: entry["destination"].count("/"))


def _user_mount(
    roots: Roots, spec: ContainerSpec, mount: Mount, mounted: Collection[str]
) -> dict[str, Any]:
    target = _target(spec, mount)
    if mount.type == "tmpfs":
        return _entry(target, "tmpfs", "tmpfs", _tmpfs_options(spec, mount))
    options = ["rbind" if mount.recursive else "bind", _propagation(spec, mount)]
    if mount.read_only:
        alone = mount.read_only_below is False or not mount.recursive
        options.append("ro" if alone else "rro")
    elif mount.read_only_below is not None:
        raise ContainerProblem(
            f"container {spec.name}: {mount.target} is not read-only, so nothing below it is",
            hint="make it read-only, or leave out `bind.recursive`",
            code="mount-recursive",
        )
    if mount.type == "bind":
        source = _bind_source(spec, mount)
        check_propagation(spec, mount)
        return _entry(target, "bind", source, options)
    entry = {**_entry(target, "bind", roots.volume(mount.source), options), "own": True}
    if mount.subpath:
        return {**entry, "subpath": _subpath(spec, mount)}
    if mount.nocopy:
        return entry
    return {**entry, "fill": True, "mounted": mount.source in mounted}


def _image_mount(
    spec: ContainerSpec, mount: Mount, layers: list[str], point: str
) -> dict[str, Any]:
    """point  an empty directory: several layers are put together there, in the mount namespace of
    the container, which has other mounts there by then or before"""
    entry = _entry(_target(spec, mount), "bind", point, ["bind", "rprivate", "ro"])
    found: dict[str, Any] = {**entry, "layers": layers}
    return {**found, "subpath": _subpath(spec, mount)} if mount.subpath else found


def _target(spec: ContainerSpec, mount: Mount) -> str:
    target = os.path.normpath(mount.target)
    if not target.startswith("/") or target == "/":
        raise ContainerProblem(
            f"container {spec.name}: `{mount.target}` cannot be the target of a mount",
            hint="an absolute path inside the container, other than /",
            code="mount-target",
        )
    return target


def _propagation(spec: ContainerSpec, mount: Mount) -> str:
    if mount.propagation not in _PROPAGATIONS:
        raise ContainerProblem(
            f"container {spec.name}: `{mount.propagation}` is no propagation of {mount.target}",
            hint=f"there are {', '.join(_PROPAGATIONS)}",
            code="propagation",
        )
    return mount.propagation


def _subpath(spec: ContainerSpec, mount: Mount) -> str:
    """Relative, and within: what links in the volume make of it is seen when it is mounted."""
    subpath = os.path.normpath(mount.subpath or ".")
    if subpath.startswith(("/", "..")):
        raise ContainerProblem(
            f"container {spec.name}: subpath {mount.subpath} of {mount.target} leads out of it",
            hint="a relative path inside, without `..`",
            code="subpath",
        )
    return subpath


def _bind_source(spec: ContainerSpec, mount: Mount) -> str:
    """The host path, made where the short syntax asks for that."""
    if not os.path.exists(mount.source):
        if not mount.create_host_path:
            raise ContainerProblem(
                f"container {spec.name}: bind source path does not exist: {mount.source}",
                hint="make it, or set `bind.create_host_path: true`",
                code="bind-source-missing",
            )
        try:
            ensure_directory(mount.source, 0o755)
            os.chown(mount.source, *host_root(spec))
        except OSError as error:
            raise ContainerProblem(
                f"container {spec.name}: cannot make the bind source {mount.source}:"
                f" {error.strerror}",
                code="bind-source-missing",
            ) from None
    return mount.source


def _tmpfs_options(spec: ContainerSpec, mount: Mount) -> list[str]:
    """nosuid, nodev and noexec unless the user's words say otherwise; later ones win."""
    for option in mount.options:
        word = option.partition("=")[0]
        if word not in FLAGS and not (word in _TMPFS_DATA and word != option):
            raise ContainerProblem(
                f"container {spec.name}: `{option}` is no option of the tmpfs {mount.target}",
                hint=f"there are {', '.join(f'{word}=' for word in _TMPFS_DATA)} and flags as exec",
                code="tmpfs-option",
            )
    options = ["noexec", "nosuid", "nodev"]
    options += ["ro"] if mount.read_only else []
    options += [f"size={mount.size_bytes}"] if mount.size_bytes else []
    options += [f"mode={mount.mode:04o}"] if mount.mode is not None else []
    return options + list(mount.options)


def _entry(target: str, fstype: str, source: str, options: list[str]) -> dict[str, Any]:
    return {"destination": target, "type": fstype, "source": source, "options": list(options)}
