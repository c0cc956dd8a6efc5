"""The control group of one container, in every hierarchy that is mounted."""

from __future__ import annotations

import errno
import os
import signal
import time

from engine.cgroups import aside, freezer, layout, limits
from engine.cgroups.entrance import Entrance
from engine.cgroups.hierarchy import V2, Hierarchies, read_words, write_value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_MAKE_TRIES = 10
_GONE = (errno.ENOENT, errno.ENODEV)  # before a file in it was opened, and after
_KILL_PAUSE_S = 0.005
_KILL_ROUNDS = 50
_FREEZE_LIMIT_S = 0.5


class Cgroup:
    """`<hierarchy>/<parent>/<name>`: a leaf that holds the processes of a container.

    parent       may have several levels; they are below the top of each hierarchy, whatever
                 group we are in ourselves
    keep_parent  it is not ours: it stays when the last container in it goes

    Resources are in the shape of `linux.resources` of the OCI runtime specification.
    """

    __slots__ = ("_hierarchies", "_keep_parent", "_path", "_points", "directories")

    def __init__(
        self, hierarchies: Hierarchies, parent: str, name: str, *, keep_parent: bool = False
    ) -> None:
        self._hierarchies, self._keep_parent = hierarchies, keep_parent
        self._points = dict(hierarchies.v1)
        if hierarchies.v2:
            self._points[V2] = hierarchies.v2
        self._path = os.path.normpath(f"/{parent}/{name}").lstrip("/")  # `..` leads nowhere
        self.directories = {key: f"{point}/{self._path}" for key, point in self._points.items()}

    def create(self, resources: dict[str, Any]) -> list[tuple[str, str]]:
        """Make the directories and set the limits.

        Returns (setting, why) for each limit that cannot be had here and is discarded, as with
        Docker. Raises LimitRefused for a value that the kernel does not take.
        """
        for attempt in range(_MAKE_TRIES):
            try:
                for key, point in self._points.items():
                    layout.make(key, point, self._path)
                break
            except OSError as error:  # the parent has just gone with another container
                if error.errno not in _GONE or attempt == _MAKE_TRIES - 1:
                    raise
        return self.update(resources)

    def update(self, resources: dict[str, Any]) -> list[tuple[str, str]]:
        """Change the limits that `resources` names, of a live group too; all others stay, those on
        devices as well. Returns and raises as `create`."""
        return limits.apply(self._hierarchies, self.directories, resources)

    def attach(self, pid: int) -> None:
        """Move a process in, in every hierarchy."""
        for directory in self._distinct():
            write_value(directory, "cgroup.procs", str(pid))

    def entrance(self) -> Entrance:
        """For a child that is to be in it from the beginning: much quicker than `attach`."""
        return Entrance(self.directories.values())

    def processes(self) -> list[int]:
        """Pids in the group or below it, as this pid namespace sees them."""
        found: set[int] = set()
        directory = self.directories.get("pids") or next(iter(self.directories.values()), None)
        if directory is not None:
            for path, _, _ in os.walk(directory):
                found.update(int(word) for word in read_words(f"{path}/cgroup.procs"))
        return sorted(found)

    def kill(self) -> None:
        """SIGKILL for everything in the group, forks in progress included; accepts absence.

        Where there is no `cgroup.kill`, what can be stilled is frozen meanwhile.
        """
        unified = self.directories.get(V2)
        if unified is not None and os.path.exists(f"{unified}/cgroup.kill"):
            write_value(unified, "cgroup.kill", "1")
            return
        frozen = self._try_to_freeze()
        for _ in range(_KILL_ROUNDS):
            victims = self.processes()
            for pid in victims:
                _kill(pid)
            if frozen:
                self.thaw()
                frozen = False
            if not victims:
                return
            time.sleep(_KILL_PAUSE_S)

    def freeze(self) -> bool:
        """Stop everything in the group, until `thaw`; False where the kernel has no freezer."""
        return freezer.set_frozen(self.directories, frozen=True)

    def thaw(self) -> None:
        """Let it go on; accepts one that is not frozen."""
        freezer.set_frozen(self.directories, frozen=False)

    def remove(self) -> None:
        """Remove the directories; accepts absence. Dying processes are waited for.

        The parent goes with the last container in it.
        """
        failures = []
        for directory in self._distinct():
            try:
                layout.remove_tree(directory)
            except OSError as error:
                failures.append(error)
            if not self._keep_parent:
                layout.remove_if_empty(f"{os.path.dirname(directory)}/{aside.NAME}")
                layout.remove_if_empty(os.path.dirname(directory))
        if failures:
            raise failures[0]

    def _try_to_freeze(self) -> bool:
        try:
            return freezer.set_frozen(self.directories, frozen=True, limit_s=_FREEZE_LIMIT_S)
        except OSError:  # removed already, or something in it waits in the kernel
            return False

    def _distinct(self) -> list[str]:
        return list(dict.fromkeys(self.directories.values()))


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
