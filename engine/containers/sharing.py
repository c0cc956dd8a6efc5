"""Namespaces that a container has of another one.

Monitor-side: it is asked before each run of init, since the other container may have been
restarted meanwhile. `linux.namespaces` of the launch record says what is wanted. Of ours, beside
what the runtime specification has: `donor`, the run directory of a container that must be running.
"""

from __future__ import annotations

import os

from engine.containers.namespaces import open_namespace
from engine.containers.statefile import STATE_NAME, read_json
from engine.kernel import mounts
from engine.kernel.child import open_in_child
from engine.kernel.namespaces import CLONE_NEWNS, setns
from engine.kernel.openat2 import open_beneath
from engine.kernel.process import start_time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


_FILES = {"network": "net", "mount": "mnt"}  # type -> name in /proc/PID/ns, where they differ


class DonorGone(OSError):
    """The container whose namespace is wanted does not run."""

    code = "namespace-donor"


def open_shared(config: dict[str, Any]) -> dict[str, int]:
    """Type -> descriptor of each namespace of `config` that is another container's.

    A bind mount with a `donor` gets `tree_fd`: that path of the donor, detached from it.

    Raises OSError; DonorGone where a donor does not run.
    """
    found = {}
    for entry in config["linux"]["namespaces"]:
        kind = entry["type"]
        if "donor" in entry:
            found[kind] = _open_of(entry["donor"], kind)
    for entry in config["mounts"]:
        if "donor" in entry:
            entry["tree_fd"] = _tree_of(entry["donor"], entry["source"])
    return found


def _open_of(run_directory: str, kind: str) -> int:
    pid, started = _donor(run_directory)
    fd = open_namespace(kind, f"/proc/{pid}/ns/{_FILES.get(kind, kind)}")
    if start_time(pid) != started:  # the pid was used again while we looked
        os.close(fd)
        raise _gone(run_directory)
    return fd


def _donor(run_directory: str) -> tuple[int, int]:
    """Pid and start time of the init of a container that runs."""
    state = read_json(f"{run_directory}/{STATE_NAME}") or {}
    target = state.get("target")
    if not target or start_time(target["pid"]) != target["started"]:
        raise _gone(run_directory)
    return target["pid"], target["started"]


def _gone(run_directory: str) -> DonorGone:
    name = os.path.basename(run_directory)[:12]
    return DonorGone(f"container {name}, whose namespace is shared, does not run")


def _tree_of(run_directory: str, path: str) -> int:
    """A detached copy of the mount at `path` of a running container.

    Only who is in its mount namespace may copy: a child goes there, and hands the copy over.
    """
    mount_fd = _open_of(run_directory, "mount")

    def make() -> list[int]:
        setns(mount_fd, CLONE_NEWNS)
        root_fd = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        target_fd = open_beneath(root_fd, path.strip("/").encode(), os.O_PATH | os.O_DIRECTORY)
        return [mounts.open_tree("", directory_fd=target_fd)]

    try:
        return open_in_child(make)[0]
    finally:
        os.close(mount_fd)
