"""Devices by name, as the Container Device Interface describes them.

Whoever brings a device (a vendor's tool) writes a file that says what a container needs of it.
Source: Container Device Interface 1.0, SPEC.md.
"""

from __future__ import annotations

import json
import os
import stat

from engine.errors import ContainerProblem

TYPE_CHECKING = False  # `typing` takes 3 ms
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from engine.containers.spec import ContainerSpec, DeviceSpec

DIRECTORIES = ("/etc/cdi", "/var/run/cdi")
_SUFFIXES = (".json", ".yaml", ".yml")


class Edits:
    """What the devices that a container asks for by name change in its configuration.

    environment   `KEY=value`
    nodes         entries of `linux.devices` with `permissions`
    mounts        entries of `mounts`
    """

    def __init__(self) -> None:
        self.environment: list[str] = []
        self.nodes: list[dict[str, Any]] = []
        self.mounts: list[dict[str, Any]] = []

    def add(self, spec: ContainerSpec, name: str, edits: dict[str, Any]) -> None:
        """Take in one `containerEdits`. Raises ContainerProblem for what is not built."""
        for key in ("hooks", "intelRdt", "netDevices"):
            if edits.get(key):
                raise ContainerProblem(
                    f"container {spec.name}: device {name} needs `{key}`, which is not built yet",
                    hint="of a CDI specification there are `env`, `deviceNodes` and `mounts`",
                    code="not-built-yet",
                )
        self.environment += edits.get("env") or []
        self.nodes += [_node(spec, name, node) for node in edits.get("deviceNodes") or []]
        for mount in edits.get("mounts") or []:
            entry = {"destination": mount["containerPath"], "source": mount["hostPath"]}
            options = mount.get("options") or ["rbind", "rprivate", "ro"]
            if "bind" not in options and "rbind" not in options:
                options = ["rbind", *options]
            self.mounts.append({**entry, "type": "bind", "options": options})
        self.nodes = list({node["path"]: node for node in self.nodes}.values())


def is_name(source: str) -> bool:
    """Whether that is a name as `vendor.com/class=name`, not a path."""
    kind, equals, name = source.partition("=")
    return bool(equals and name and not source.startswith("/") and kind.count("/") == 1)


def find_edits(spec: ContainerSpec) -> Edits:
    """For all devices of `spec` that are names. Raises ContainerProblem where one is unknown."""
    edits = Edits()
    asked = [device for device in spec.devices if is_name(device.source)]
    described = list(_specifications()) if asked else []
    applied: list[dict[str, Any]] = []
    for device in asked:
        kind, _, name = device.source.partition("=")
        found = [
            (one, entry)
            for one in described
            if one.get("kind") == kind
            for entry in one.get("devices") or []
            if entry.get("name") == name
        ]
        if not found:
            raise _unknown(spec, device, kind, any(one.get("kind") == kind for one in described))
        whole, entry = found[-1]  # those of /var/run go above those of /etc
        if whole not in applied:
            edits.add(spec, device.source, whole.get("containerEdits") or {})
            applied.append(whole)
        edits.add(spec, device.source, entry.get("containerEdits") or {})
    return edits


def _unknown(
    spec: ContainerSpec, device: DeviceSpec, kind: str, is_known: bool
) -> ContainerProblem:
    hint = f"`{kind}` is described there, but not that one"
    if not is_known:
        hint = "its vendor's tool writes one, as `nvidia-ctk cdi generate --output=/etc/cdi/x.yaml`"
    return ContainerProblem(
        f"container {spec.name}: no CDI specification in {' or '.join(DIRECTORIES)} describes"
        f" {device.source}",
        hint=hint,
        code="unknown-device",
    )


def _specifications() -> Iterator[dict[str, Any]]:
    for directory in DIRECTORIES:
        try:
            names = sorted(os.listdir(directory))
        except FileNotFoundError:
            continue
        for name in names:
            if name.endswith(_SUFFIXES) and isinstance(found := _read(f"{directory}/{name}"), dict):
                yield found


def _read(path: str) -> Any:
    with open(path, encoding="utf-8") as file:
        text = file.read()
    try:
        if path.endswith(".json"):
            return json.loads(text)
        from ruamel.yaml import YAML
        from ruamel.yaml.error import YAMLError
    except ValueError as error:
        raise _broken(path, error) from None
    try:
        return YAML(typ="safe", pure=True).load(text)
    except YAMLError as error:
        raise _broken(path, error) from None


def _broken(path: str, error: Exception) -> ContainerProblem:
    return ContainerProblem(
        f"the CDI specification {path} cannot be read: {error}",
        hint="have its vendor's tool write it again",
        code="cdi-specification",
    )


def _node(spec: ContainerSpec, name: str, node: dict[str, Any]) -> dict[str, Any]:
    """Numbers and mode are the host's where the specification leaves them out."""
    path = node.get("hostPath") or node["path"]
    try:
        found = os.stat(path)
    except OSError as error:
        raise ContainerProblem(
            f"container {spec.name}: {path} of device {name}: {error.strerror}",
            hint="is its driver loaded?",
            code="invalid-device",
        ) from None
    kind = "b" if stat.S_ISBLK(found.st_mode) else "c"
    return {
        "path": node["path"],
        "type": node.get("type") or kind,
        "major": node.get("major", os.major(found.st_rdev)),
        "minor": node.get("minor", os.minor(found.st_rdev)),
        "fileMode": node.get("fileMode", stat.S_IMODE(found.st_mode)),
        "uid": node.get("uid", found.st_uid),
        "gid": node.get("gid", found.st_gid),
        "permissions": node.get("permissions") or "rwm",
    }
