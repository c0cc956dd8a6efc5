"""Which ids of the host a container's are (engine.md A17).

Asked for with the engine, in BUOY_USERNS_REMAP: `default` or the name of a user, whose first ranges
in /etc/subuid and /etc/subgid are taken, or `FIRST:SIZE`. A container may stay out of it, and one
keeps what it was created with.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from engine.errors import ContainerProblem

if TYPE_CHECKING:
    from engine.containers.spec import ContainerSpec

VARIABLE = "BUOY_USERNS_REMAP"
HOST = "host"
_DEFAULT_USER = "buoy"
_LEAST_SIZE = 65_536  # ids of an image's files go up to `nobody`, 65534


def settled(spec: ContainerSpec) -> str:
    """The `userns` of a container that is being created: "host", or UIDS:GIDS:SIZE.

    Raises ContainerProblem for a range that cannot be.
    """
    asked = spec.userns or os.environ.get(VARIABLE, "")
    if asked in ("", HOST):
        return HOST
    words = asked.split(":")
    if all(word.isdecimal() for word in words) and len(words) in (2, 3):
        first, size = (int(words[0]), int(words[-1]))
        found = first, int(words[1]) if len(words) == 3 else first, size
    else:
        name = _DEFAULT_USER if asked == "default" else asked
        uids, gids = _range_of(spec, "/etc/subuid", name), _range_of(spec, "/etc/subgid", name)
        found = uids[0], gids[0], min(uids[1], gids[1])
    if found[2] < _LEAST_SIZE or min(found[:2]) == 0 or max(found[:2]) + found[2] > 2**32 - 1:
        raise _problem(spec, f"`{asked}` is not a range of {_LEAST_SIZE} ids, without 0")
    return ":".join(map(str, found))


def mappings(spec: ContainerSpec) -> dict[str, Any]:
    """`uidMappings` and `gidMappings` of the runtime configuration; {} for the host's ids.

    Raises ContainerProblem where something else asked for does not go with them.
    """
    if spec.userns in ("", HOST):
        return {}
    for conflicts, key in (
        (spec.privileged, "privileged"),
        (spec.network == "host", "network_mode: host"),
        (spec.pid_mode == "host", "pid: host"),
    ):
        if conflicts:
            hint = "add `userns_mode: host`: it then has the host's ids"
            raise _problem(spec, f"`{key}` is not for containers with ids of their own", hint)
    uid, gid, size = (int(word) for word in spec.userns.split(":"))
    return {
        "uidMappings": [{"containerID": 0, "hostID": uid, "size": size}],
        "gidMappings": [{"containerID": 0, "hostID": gid, "size": size}],
    }


def host_root(spec: ContainerSpec) -> tuple[int, int]:
    """The ids that the container's root has on the host."""
    found = mappings(spec)
    if not found:
        return 0, 0
    return found["uidMappings"][0]["hostID"], found["gidMappings"][0]["hostID"]


def _range_of(spec: ContainerSpec, path: str, name: str) -> tuple[int, int]:
    """First id and size of the first range of a user (subuid(5))."""
    try:
        with open(path, encoding="utf-8") as file:
            rows = [line.strip().split(":") for line in file]
    except FileNotFoundError:
        rows = []
    for row in rows:
        if row[0] == name and len(row) == 3 and row[1].isdecimal() and row[2].isdecimal():
            return int(row[1]), int(row[2])
    raise _problem(
        spec,
        f"{path} has no range of ids for `{name}`",
        hint=f"`usermod --add-subuids 100000-165535 --add-subgids 100000-165535 {name}`, or"
        f" {VARIABLE}=100000:65536",
    )


def _problem(spec: ContainerSpec, what: str, hint: str | None = None) -> ContainerProblem:
    return ContainerProblem(f"container {spec.name}: {what}", hint=hint, code="userns-remap")
