"""The control group of one container, in every hierarchy that is mounted."""

from __future__ import annotations

import errno
import os
import signal
import time

from engine.cgroups import cpu, devices, freezer, memory, pids
from engine.cgroups.hierarchy import V2, Hierarchies, read_words, write_value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

_MAKE_TRIES = 10
_REMOVE_TRIES = 60
_REMOVE_PAUSE_S = 0.005
_KILL_ROUNDS = 50


class Cgroup:
    """`<hierarchy>/<parent>/<container id>`: a leaf that holds the container's processes.

    Resources are in the shape of `linux.resources` of the OCI runtime specification.
    """

    __slots__ = ("_hierarchies", "_name", "_parent", "directories")

    def __init__(self, hierarchies: Hierarchies, parent: str, name: str) -> None:
        self._hierarchies, self._parent, self._name = hierarchies, parent, name
        points = dict(hierarchies.v1)
        if hierarchies.v2:
            points[V2] = hierarchies.v2
        self.directories = {key: f"{point}/{parent}/{name}" for key, point in points.items()}

    def create(self, resources: dict[str, Any]) -> list[str]:
        """Make the directories and set the limits. Returns warnings: limits that cannot be set.

        A controller that the kernel or the delegation lacks is a warning, as with Docker; a value
        that the kernel refuses is an OSError naming file and value.
        """
        for attempt in range(_MAKE_TRIES):
            try:
                for key, directory in self.directories.items():
                    self._make(key, directory)
                break
            except FileNotFoundError:  # the parent has just gone with another container
                if attempt == _MAKE_TRIES - 1:
                    raise
        return self._limit(resources)

    def attach(self, pid: int) -> None:
        """Move a process in, in every hierarchy."""
        for directory in self._distinct():
            write_value(directory, "cgroup.procs", str(pid))

    def processes(self) -> list[int]:
        """Pids in the group or below it, as this pid namespace sees them."""
        found: set[int] = set()
        directory = self.directories.get("pids") or next(iter(self.directories.values()), None)
        if directory is not None:
            for path, _, _ in os.walk(directory):
                found.update(int(word) for word in read_words(f"{path}/cgroup.procs"))
        return sorted(found)

    def kill(self) -> None:
        """SIGKILL for everything in the group, forks in progress included; accepts absence."""
        unified = self.directories.get(V2)
        if unified is not None and os.path.exists(f"{unified}/cgroup.kill"):
            write_value(unified, "cgroup.kill", "1")
            return
        frozen = self._freeze()
        for _ in range(_KILL_ROUNDS):
            victims = self.processes()
            for pid in victims:
                _kill(pid)
            if frozen:
                self._thaw()
                frozen = False
            if not victims:
                return
            time.sleep(_REMOVE_PAUSE_S)

    def oom_kills(self) -> int:
        """How many processes the kernel has killed here for want of memory."""
        return memory.oom_kills(self._hierarchies, self.directories)

    def remove(self) -> None:
        """Remove the directories; accepts absence. Dying processes are waited for briefly.

        The parent goes with the last container in it.
        """
        failures = []
        for directory in self._distinct():
            try:
                _remove_tree(directory)
            except OSError as error:
                failures.append(error)
            _remove_if_empty(os.path.dirname(directory))
        if failures:
            raise failures[0]

    def _distinct(self) -> list[str]:
        return list(dict.fromkeys(self.directories.values()))

    def _make(self, key: str, directory: str) -> None:
        """FileNotFoundError where another command removes the parent meanwhile."""
        parent = os.path.dirname(directory)
        os.makedirs(parent, exist_ok=True)
        if key == V2:
            self._enable_v2_controllers(parent)
        if key == "cpuset":
            _inherit_cpuset(parent)
        if not os.path.isdir(directory):
            os.mkdir(directory)  # not makedirs: a parent made anew would have no controllers
        if key == "cpuset":
            _inherit_cpuset(directory)

    def _enable_v2_controllers(self, parent: str) -> None:
        """Every controller of the root for us, one by one: one that is busy stops no other."""
        for level in (self._hierarchies.v2, parent):
            wanted = read_words(f"{level}/cgroup.controllers")
            enabled = read_words(f"{level}/cgroup.subtree_control")
            for controller in sorted(set(wanted) - set(enabled)):
                try:
                    write_value(str(level), "cgroup.subtree_control", f"+{controller}")
                except OSError:  # no delegation, or processes in the way: limits warn later
                    continue

    def _limit(self, resources: dict[str, Any]) -> list[str]:
        warnings = []
        for controller, limit in (
            ("memory", memory.limit),
            ("cpu", cpu.limit),
            ("pids", pids.limit),
        ):
            wanted = resources.get(controller)
            if not wanted:
                continue
            version = self._hierarchies.version_of(controller)
            directory = self.directories[controller if version == 1 else V2] if version else ""
            if not version or not os.path.exists(directory + _PROBE[controller][version]):
                warnings.append(f"no {controller} controller here: the limit is not enforced")
                continue
            limit(directory, version, wanted)
        if "devices" in resources:
            devices.limit(self._hierarchies, self.directories, resources["devices"])
        return warnings

    def _freeze(self) -> bool:
        try:
            return freezer.set_frozen(self.directories, frozen=True)
        except FileNotFoundError:  # removed already, in this hierarchy
            return False

    def _thaw(self) -> None:
        freezer.set_frozen(self.directories, frozen=False)


_PROBE = {
    "memory": {1: "/memory.limit_in_bytes", 2: "/memory.max"},
    "cpu": {1: "/cpu.shares", 2: "/cpu.max"},
    "pids": {1: "/pids.max", 2: "/pids.max"},
}


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _inherit_cpuset(directory: str) -> None:
    """A new v1 cpuset is empty and takes no tasks until it has CPUs and memory nodes."""
    parent = os.path.dirname(directory)
    for name in ("cpuset.cpus", "cpuset.mems"):
        if not read_words(f"{directory}/{name}"):
            write_value(directory, name, " ".join(read_words(f"{parent}/{name}")))


def _remove_if_empty(directory: str) -> None:
    try:
        os.rmdir(directory)
    except OSError:  # others are in it, or it has gone
        return


def _remove_tree(directory: str) -> None:
    for path in reversed(list(_directories(directory))):
        for attempt in range(_REMOVE_TRIES):
            try:
                os.rmdir(path)
                break
            except FileNotFoundError:
                break
            except OSError as error:
                if error.errno != errno.EBUSY or attempt == _REMOVE_TRIES - 1:
                    raise
                time.sleep(_REMOVE_PAUSE_S)


def _directories(top: str) -> Iterator[str]:
    for path, _, _ in os.walk(top):
        yield path
