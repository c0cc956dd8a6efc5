"""What a container may and how much it gets, in the words of the OCI runtime configuration."""

from __future__ import annotations

import resource
from typing import TYPE_CHECKING, Any

from engine.containers.modes import owns
from engine.containers.process import UNLIMITED
from engine.errors import ContainerProblem
from engine.kernel import capabilities

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from engine.containers.spec import ContainerSpec

_MOST_FILES = 1_048_576
_IPC_SYSCTLS = frozenset(
    f"kernel.{name}"
    for name in (
        *("msgmax", "msgmnb", "msgmni", "sem", "shmall", "shmmax", "shmmni"),
        "shm_rmid_forced",
    )
)


def capabilities_of(spec: ContainerSpec) -> list[str]:
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


def rlimits(ulimits: Mapping[str, tuple[int, int]]) -> list[dict[str, Any]]:
    """Defaults of our own, since a shell's would leak in otherwise; the user's replace by name."""
    hard_files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    most = hard_files if hard_files >= 0 else _MOST_FILES
    entries: dict[str, dict[str, Any]] = {}
    for name, soft, hard in (
        ("nofile", min(_MOST_FILES, most), most),
        *((n, _hard(n), _hard(n)) for n in ("nproc", "core")),
    ):
        kind = f"RLIMIT_{name.upper()}"
        entries[name] = _rlimit(kind, soft, hard) | {"default": True}
    for name, (soft, hard) in ulimits.items():
        kind = f"RLIMIT_{name.upper()}"
        if not hasattr(resource, kind):
            raise ContainerProblem(
                f"there is no ulimit `{name}`",
                hint="setrlimit(2) lists them: nofile, nproc, core, memlock, ...",
                code="unknown-ulimit",
            )
        entries[name] = _rlimit(kind, soft, hard)
    return list(entries.values())


def _rlimit(kind: str, soft: int, hard: int) -> dict[str, Any]:
    """The specification has no negative limits: without one it is the highest of 64 bits."""
    soft, hard = (UNLIMITED if value < 0 else value for value in (soft, hard))
    return {"type": kind, "soft": soft, "hard": hard}


def _hard(name: str) -> int:
    return resource.getrlimit(getattr(resource, f"RLIMIT_{name.upper()}"))[1]


def sysctls(spec: ContainerSpec) -> dict[str, str]:
    """Those of the container's own namespaces; all others are the host's (engine.md A7.3).

    `net/ipv4/conf/eth0.1/forwarding` and `net.ipv4.conf.eth0/1.forwarding` are the same: the
    second is what the result has.
    """
    return {_sysctl(spec, name): str(value) for name, value in spec.sysctls.items()}


def _sysctl(spec: ContainerSpec, word: str) -> str:
    name = word
    if "/" in word and "." not in word.partition("/")[0]:
        name = word.translate(str.maketrans("./", "/."))
    kind = _namespace_of(name)
    own = kind is not None and owns(spec, kind)
    if not own or any(part.strip("/") == "" for part in name.split(".")):
        raise ContainerProblem(
            f"container {spec.name}: sysctl `{word}` is not the container's own",
            hint=f"it shares the {kind} namespace that the setting is of"
            if kind
            else "of the kernel's settings it has net.*, fs.mqueue.* and those of System V IPC;"
            " set others on the host",
            code="sysctl-not-allowed",
        )
    return name


def _namespace_of(name: str) -> str | None:
    """The kind of namespace that has a setting of its own; None: there is one for all."""
    if name in _IPC_SYSCTLS or name.startswith("fs.mqueue."):
        return "ipc"
    if name == "kernel.domainname":
        return "uts"
    if name.startswith("user."):
        return "user"
    return "network" if name.startswith("net.") else None
