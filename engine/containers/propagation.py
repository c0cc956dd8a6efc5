"""Whether what is mounted below a bind can reach the other side (engine.md A2.9)."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from engine.errors import ContainerProblem
from engine.kernel.mounts import mount_point_of

if TYPE_CHECKING:
    from engine.containers.spec import ContainerSpec, Mount

_NEEDED = {"shared": ("shared",), "slave": ("shared", "master")}  # any of these marks


def check_propagation(spec: ContainerSpec, mount: Mount) -> None:
    """Raise ContainerProblem where the source of a bind is not on a mount that propagates."""
    needed = _NEEDED.get(mount.propagation.removeprefix("r"))
    if needed is None:
        return
    point = mount_point_of(os.path.realpath(mount.source))
    if not any(mark.startswith(f"{word}:") for mark in _marks_of(point) for word in needed):
        raise ContainerProblem(
            f"container {spec.name}: {mount.source} is on the mount {point}, which is not"
            f" {' or '.join('a slave' if word == 'master' else word for word in needed)}",
            hint=f"`mount --make-shared {point}` on the host, or another `propagation`",
            code="propagation",
        )


def _marks_of(point: str) -> list[str]:
    """The optional fields of mountinfo, as `shared:7`; of stacked mounts, those of the top."""
    marks: list[str] = []
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        for line in file:
            words = line.partition(" - ")[0].split(" ")
            if words[4] == point:
                marks = words[6:]
    return marks
