"""The devices of a container, as `linux.devices` and device rules of the OCI configuration."""

from __future__ import annotations

import os
import stat

from engine.containers.cdi import is_name
from engine.errors import ContainerProblem

TYPE_CHECKING = False  # `typing` takes 3 ms
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

    from engine.containers.spec import ContainerSpec, DeviceSpec

# Always allowed: making nodes of any kind, and the devices that every container has.
_DEFAULT = (
    ("c", None, None, "m"),
    ("b", None, None, "m"),
    *(("c", 1, minor, "rwm") for minor in (3, 5, 7, 8, 9)),
    ("c", 5, 0, "rwm"),
    ("c", 5, 1, "rwm"),
    ("c", 5, 2, "rwm"),
    ("c", 136, None, "rwm"),
    ("c", 10, 200, "rwm"),
)
_DENY_ALL = {"allow": False, "access": "rwm"}
_ALLOW_ALL = {"allow": True, "type": "a", "access": "rwm"}
_OWN = ("/dev/console", "/dev/mqueue", "/dev/ptmx", "/dev/pts", "/dev/shm")
_ACCESS = frozenset("rwm")


class Devices:
    """What a container has beside the devices of every container (engine.md A14).

    nodes   entries of `linux.devices`
    rules   entries of `linux.resources.devices`, for `nodes` and by themselves
    """

    def __init__(self, spec: ContainerSpec, nodes: Iterable[dict[str, Any]] = ()) -> None:
        """nodes  further ones, with `permissions` (of CDI).

        Raises ContainerProblem for what is no device and for rules that are none.
        """
        everything = _nodes("/dev", "/dev") if spec.privileged else ()
        found = [{**node, "permissions": "rwm"} for node in everything]
        paths = [device for device in spec.devices if not is_name(device.source)]
        found += [node for asked in paths for node in _nodes_of(spec, asked)]
        found += nodes
        self.nodes = list({node["path"]: _without_permissions(node) for node in found}.values())
        self.rules = default_rules()
        self.rules += [_rule_of(node) for node in found]
        self.rules += [rule for text in spec.device_rules for rule in _rules_of(spec, text)]
        if spec.privileged:
            self.rules = [_DENY_ALL, _ALLOW_ALL]


def default_rules() -> list[dict[str, Any]]:
    """Everything is denied, then what every container may open."""
    return [_DENY_ALL, *(_rule(*entry) for entry in _DEFAULT)]


def _nodes_of(spec: ContainerSpec, asked: DeviceSpec) -> Iterator[dict[str, Any]]:
    """The node, or those below the directory, with the permissions that are asked for."""
    if not asked.permissions or set(asked.permissions) - _ACCESS:
        raise ContainerProblem(
            f"container {spec.name}: `{asked.permissions}` are no permissions of a device",
            hint="`r` to read, `w` to write and `m` to make the node, as in `rw`",
            code="invalid-device",
        )
    source = os.path.realpath(asked.source)
    target = os.path.normpath(os.path.join("/", asked.target or asked.source))
    if os.path.isdir(source):
        found = list(_nodes(source, target))
    else:
        found = [node] if (node := _node(source, target)) else []
    if not found:
        how = "is not a device" if os.path.exists(source) else "does not exist"
        raise ContainerProblem(
            f"container {spec.name}: {asked.source} {how}",
            hint="a path such as /dev/fuse, or of a directory with devices in it",
            code="invalid-device",
        )
    for node in found:
        yield {**node, "permissions": asked.permissions}


def _nodes(directory: str, target: str) -> Iterator[dict[str, Any]]:
    """Every node below a directory of the host, at the same place below `target`."""
    with os.scandir(directory) as entries:
        for entry in entries:
            inside = f"{target}/{entry.name}"
            if inside in _OWN:
                continue
            if entry.is_dir(follow_symlinks=False):
                yield from _nodes(entry.path, inside)
            elif not entry.is_symlink() and (node := _node(entry.path, inside)):
                yield node


def _node(path: str, target: str) -> dict[str, Any] | None:
    """None for what is no device, or has gone."""
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return None
    if not (stat.S_ISCHR(found.st_mode) or stat.S_ISBLK(found.st_mode)):
        return None
    return {
        "path": target,
        "type": "c" if stat.S_ISCHR(found.st_mode) else "b",
        "major": os.major(found.st_rdev),
        "minor": os.minor(found.st_rdev),
        "fileMode": stat.S_IMODE(found.st_mode),
        "uid": found.st_uid,
        "gid": found.st_gid,
    }


def _without_permissions(node: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in node.items() if key != "permissions"}


def _rule_of(node: dict[str, Any]) -> dict[str, Any]:
    return _rule(node["type"], node["major"], node["minor"], node["permissions"])


def _rules_of(spec: ContainerSpec, text: str) -> list[dict[str, Any]]:
    """`c 13:* rwm`. `a` is for both kinds: v1 would take one with numbers for all devices."""
    kind, _, rest = text.partition(" ")
    numbers, _, access = rest.partition(" ")
    major, colon, minor = numbers.partition(":")
    valid = kind in ("a", "b", "c") and colon and access and not set(access) - _ACCESS
    if not valid or not all(word == "*" or word.isdecimal() for word in (major, minor)):
        raise ContainerProblem(
            f"container {spec.name}: `{text}` is not a device cgroup rule",
            hint="as `c 13:* rwm`: a, b or c, major and minor number or *, and of rwm",
            code="invalid-device-rule",
        )
    if text == "a *:* rwm":
        return [_ALLOW_ALL]
    ids = [None if word == "*" else int(word) for word in (major, minor)]
    return [_rule(one, ids[0], ids[1], access) for one in (kind if kind != "a" else "bc")]


def _rule(kind: str, major: int | None, minor: int | None, access: str) -> dict[str, Any]:
    numbers = {"major": major, "minor": minor}
    given = {key: number for key, number in numbers.items() if number is not None}
    return {"allow": True, "type": kind, "access": access, **given}
