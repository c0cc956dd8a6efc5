"""Which namespaces a container gets: new ones, the host's, or those of another container.

In the words of ContainerSpec: `private`, `host`, `container:NAME`, and for ipc `shareable` and
`none` too (engine.md A2.3, A5).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.containers.remap import mappings
from engine.errors import ContainerProblem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.containers.containers import Containers
    from engine.containers.spec import ContainerSpec

_MODES = {  # besides container:NAME, for those kinds that can be joined
    "pid": ("private", "host"),
    "ipc": ("private", "shareable", "none", "host"),
    "uts": ("private", "host"),
    "cgroup": ("private", "host"),
}
_JOINABLE = ("pid", "ipc")
_NOT_SHAREABLE = ("private", "none")


def modes_of(spec: ContainerSpec) -> dict[str, str]:
    """Kind -> mode, of the kinds that a mode is asked for. Raises ContainerProblem."""
    modes = {
        "pid": spec.pid_mode,
        "ipc": spec.ipc_mode,
        "uts": spec.uts_mode,
        "cgroup": spec.cgroup_mode,
    }
    for kind, mode in modes.items():
        if mode not in _MODES[kind] and not (kind in _JOINABLE and donor_name(mode)):
            known = ", ".join((*_MODES[kind], *(["container:NAME"] * (kind in _JOINABLE))))
            raise ContainerProblem(
                f"container {spec.name}: `{mode}` is no {kind} namespace",
                hint=f"there are {known}",
                code="namespace-mode",
            )
    if spec.uts_mode == "host" and (spec.hostname or spec.domainname):
        raise ContainerProblem(
            f"container {spec.name}: it has the host's name, and cannot have one of its own",
            hint="leave out `hostname` and `domainname`, or `uts: host`",
            code="hostname-conflict",
        )
    return modes


def find_donors(containers: Containers, spec: ContainerSpec) -> dict[str, str]:
    """Kind -> run directory of the running container whose namespace is wanted.

    Raises ContainerProblem where there is none, it does not run, or keeps its ipc to itself.
    """
    modes = {**modes_of(spec), "network": spec.network}
    return {
        kind: _donor(containers, spec, kind, name)
        for kind, mode in modes.items()
        if (name := donor_name(mode))
    }


def donor_name(mode: str) -> str:
    """NAME of a mode `container:NAME`; "" for the others."""
    kind, _, name = mode.partition(":")
    return name if kind == "container" else ""


def _donor(containers: Containers, spec: ContainerSpec, kind: str, name: str) -> str:
    donor = containers.find(name)
    if donor is None or donor.status != "running":
        how = f"is {donor.status}" if donor else "does not exist"
        raise ContainerProblem(
            f"container {spec.name}: it shares the {kind} namespace of {name}, which {how}",
            hint="start it first",
            code="namespace-donor",
        )
    if kind == "ipc" and containers.spec(donor.id).ipc_mode in _NOT_SHAREABLE:
        raise ContainerProblem(
            f"container {spec.name}: {donor.name} does not share its ipc namespace",
            hint="give that one `ipc: shareable`",
            code="ipc-not-shareable",
        )
    return containers.roots.container_run(donor.id)


def namespaces(spec: ContainerSpec, donors: Mapping[str, str]) -> list[dict[str, Any]]:
    """`linux.namespaces` of the launch record: what is not listed is the host's."""
    modes = modes_of(spec)
    found: list[dict[str, Any]] = [{"type": "mount"}]
    if mappings(spec):  # what belongs to another's user namespace can be used from there alone
        donor = next(iter(donors.values()), None)
        found.append({"type": "user", "donor": donor} if donor else {"type": "user"})
    if "network" in donors:
        found.append({"type": "network", "donor": donors["network"]})
    elif spec.network != "host":
        found.append({"type": "network"})
    for kind, mode in modes.items():
        if kind in donors:
            found.append({"type": kind, "donor": donors[kind]})
        elif mode != "host":
            found.append({"type": kind})
    return found


def owns(spec: ContainerSpec, kind: str) -> bool:
    """Whether a namespace is made for the container alone, so that it may be set up at will."""
    if kind == "network":
        return spec.network in ("networks", "none")
    if kind == "user":
        return bool(mappings(spec))
    mode = modes_of(spec)[kind]
    return mode != "host" and not donor_name(mode)
