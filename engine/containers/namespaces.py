"""The namespaces of a container, as `linux.namespaces` of its config.json asks for them.

Some a process only gets by its fork: user, pid and time (`Namespaces.enter_outer`, in the process
that forks init). The others init enters itself, once it is in its cgroup: a cgroup namespace
shows what it was made in (`Namespaces.enter_inner`).
"""

from __future__ import annotations

import os
import stat

from engine.kernel import idmap
from engine.kernel.namespaces import (
    CLONE_NEWCGROUP,
    CLONE_NEWIPC,
    CLONE_NEWNET,
    CLONE_NEWNS,
    CLONE_NEWPID,
    CLONE_NEWTIME,
    CLONE_NEWUSER,
    CLONE_NEWUTS,
    kind_of,
    open_own,
    setns,
    unshare,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

FLAGS = {
    "user": CLONE_NEWUSER,
    "pid": CLONE_NEWPID,
    "time": CLONE_NEWTIME,
    "network": CLONE_NEWNET,
    "ipc": CLONE_NEWIPC,
    "uts": CLONE_NEWUTS,
    "cgroup": CLONE_NEWCGROUP,
    "mount": CLONE_NEWNS,
}
_OUTER = ("user", "pid", "time")


class Namespaces:
    """Which are new and which are joined.

    linux  `linux` of config.json: `namespaces`, `uidMappings`, `gidMappings`, `timeOffsets`
    given  descriptors of namespaces to join where `linux.namespaces` has no path for them

    A kind that is not in `linux.namespaces` is shared with who starts the container. Raises
    OSError where a path leads to no namespace of its kind.
    """

    def __init__(self, linux: dict[str, Any], given: Mapping[str, int]) -> None:
        self._linux = linux
        self._joined: dict[str, int] = {}
        self._new: list[str] = []
        for entry in linux["namespaces"]:
            kind, path = entry["type"], entry.get("path")
            if path:
                self._joined[kind] = open_namespace(kind, path)
            elif kind in given:
                self._joined[kind] = given[kind]
            else:
                self._new.append(kind)

    @property
    def has_user(self) -> bool:
        """Whether the container's ids are not those of the host."""
        return "user" in self._new or "user" in self._joined

    def is_new(self, kind: str) -> bool:
        """Whether the container gets one of its own of that kind."""
        return kind in self._new

    def enter_outer(self) -> None:
        """In the process that forks init; what that child will be in.

        With a user namespace all that is joined is joined here: from within, who started the
        container would have no right to it.
        """
        joined = [kind for kind in self._joined if self.has_user or kind in _OUTER]
        joined = [kind for kind in joined if kind != "user"]
        for kind in joined:
            self._join(kind)
        if "user" in self._joined:
            self._join("user")
            idmap.become_root()
        elif "user" in self._new:
            idmap.enter_new(self._linux["uidMappings"], self._linux["gidMappings"])
        unshare(sum(FLAGS[kind] for kind in ("pid", "time") if kind in self._new))
        if "time" in self._new:
            _set_offsets(self._linux.get("timeOffsets") or {})

    def renew_pid(self) -> None:
        """Another for the next child: one whose first process has ended, or could not be made,
        takes no other."""
        if "pid" in self._new:
            own_fd = open_own("pid")
            setns(own_fd, CLONE_NEWPID)
            os.close(own_fd)
            unshare(CLONE_NEWPID)

    def enter_inner(self) -> None:
        """In init."""
        for kind in [kind for kind in self._joined if kind not in _OUTER]:
            self._join(kind)
        unshare(sum(FLAGS[kind] for kind in self._new if kind not in _OUTER))

    def _join(self, kind: str) -> None:
        fd = self._joined.pop(kind, None)
        if fd is not None:
            setns(fd, FLAGS[kind])


def open_namespace(kind: str, path: str) -> int:
    """A close-on-exec descriptor of the namespace at `path`; OSError where that is another kind."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(fd).st_mode) or kind_of(fd) != FLAGS[kind]:
        os.close(fd)
        raise OSError(f"{path} is not a {kind} namespace")
    return fd


def _set_offsets(offsets: dict[str, dict[str, int]]) -> None:
    """Of the clocks of the time namespace that the next child will be in (time_namespaces(7))."""
    lines = [
        f"{clock} {offset.get('secs', 0)} {offset.get('nanosecs', 0)}\n"
        for clock, offset in offsets.items()
    ]
    if lines:
        fd = os.open("/proc/self/timens_offsets", os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(fd, "".join(lines).encode())
        finally:
            os.close(fd)
