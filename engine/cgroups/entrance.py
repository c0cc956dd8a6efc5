"""The quick way into a control group: by oneself."""

from __future__ import annotations

import os

from engine.cgroups.hierarchy import write_value
from engine.kernel.fork import fork_into
from engine.kernel.process import is_being_killed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_WRITE = os.O_WRONLY | os.O_CLOEXEC


def go_in(directory: str) -> None:
    """Be in a group, in one hierarchy. The caller has a single thread. Raises OSError."""
    has_tasks = os.path.exists(f"{directory}/tasks")  # v2 has none
    write_value(directory, "tasks" if has_tasks else "cgroup.procs", "0")


class NotBornInside(Exception):
    """No child can be born in the group. If it was to be the first of a pid namespace, that is of
    no use any more."""


class Entrance:
    """Forks a child that goes into the group that has `directories`, one in each hierarchy.

    To move a process by its pid, the kernel waits until no other changes its threads: a grace
    period of RCU, 5 to 15 ms. A thread that moves itself alone (v1), or is born in the group (v2),
    waits for nothing.
    """

    def __init__(self, directories: Iterable[str]) -> None:
        self._tasks: list[int] = []
        self._v2_fd, self._processes_fd = -1, -1
        for directory in dict.fromkeys(directories):
            try:
                self._tasks.append(os.open(f"{directory}/tasks", _WRITE))
            except FileNotFoundError:  # v2 has none
                self._v2_fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
                self._processes_fd = os.open(f"{directory}/cgroup.procs", _WRITE)
        self._born_inside = self._v2_fd >= 0

    def fork(self) -> int:
        """As os.fork(); the child has still to `enter`. The caller has a single thread.

        Raises NotBornInside, the first time; the next child is born outside. That is where the
        kernel has no such call, and where the group takes no processes. And since Linux 6.14 a
        child is killed whose group has been killed (`cgroup.kill`) more or less often than that of
        its parent.
        """
        if not self._born_inside:
            return os.fork()
        try:
            pid = fork_into(self._v2_fd)
        except OSError:
            self._born_inside = False
            raise NotBornInside from None
        if pid and is_being_killed(pid):
            os.waitpid(pid, 0)
            self._born_inside = False
            raise NotBornInside
        return pid

    def enter(self) -> None:
        """Go in, in the child, in what hierarchies are left. Raises OSError."""
        for fd in self._tasks:
            os.write(fd, b"0")
        if self._processes_fd >= 0 and not self._born_inside:
            os.write(self._processes_fd, b"0")

    def close(self) -> None:
        """Once it has been gone through; in the parent, once the child has been forked."""
        for fd in (*self._tasks, self._v2_fd, self._processes_fd):
            if fd >= 0:
                os.close(fd)
