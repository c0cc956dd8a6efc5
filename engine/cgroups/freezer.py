"""Freezing: all processes of a group stop being scheduled, until thawed."""

from __future__ import annotations

import os
import select
import time

from engine.cgroups.hierarchy import V2, read_words, write_value

_LIMIT_S = 10.0
_PAUSE_S = 0.01
_FROZEN, _EVENTS_BYTES = b"frozen 1", 4096
_GIVE_WAY = 50  # v1: after so many tries they run for a moment


def set_frozen(directories: dict[str, str], *, frozen: bool, limit_s: float = _LIMIT_S) -> bool:
    """Freeze, and wait until it is so, or thaw. False where the kernel has no freezer for us.

    v2 goes first where both are: what it has frozen can still be killed. What one above has frozen
    stays so whatever is said here. Raises OSError, with nothing frozen, where a process has not
    come to rest within `limit_s`.
    """
    if V2 in directories and os.path.exists(f"{directories[V2]}/cgroup.freeze"):
        if frozen:
            _freeze_v2(directories[V2], limit_s)
        else:
            write_value(directories[V2], "cgroup.freeze", "0")
        return True
    if "freezer" in directories:
        if frozen:
            _freeze_v1(directories["freezer"], limit_s)
        else:
            write_value(directories["freezer"], "freezer.state", "THAWED")
        return True
    return False


def is_frozen(directories: dict[str, str]) -> bool:
    """Whether a group itself is frozen, or on its way, not only with one above it; False where
    it is gone."""
    unified, v1 = directories.get(V2, ""), directories.get("freezer", "")
    asked = (f"{unified}/cgroup.freeze", f"{v1}/freezer.self_freezing")
    return any(read_words(path) == ["1"] for path in asked)


def _freeze_v1(directory: str, limit_s: float) -> None:
    """A fork during the freeze leaves it half done (FREEZING): it is asked for again."""
    for attempt in range(1, round(limit_s / _PAUSE_S) + 1):
        write_value(directory, "freezer.state", "FROZEN")
        if read_words(f"{directory}/freezer.state") == ["FROZEN"]:
            return
        if attempt % _GIVE_WAY == 0:  # one may wait for another that is frozen already
            write_value(directory, "freezer.state", "THAWED")
        time.sleep(_PAUSE_S)
    write_value(directory, "freezer.state", "THAWED")
    raise OSError(f"{directory} did not become frozen")


def _freeze_v2(directory: str, limit_s: float) -> None:
    """cgroup.events tells, by POLLPRI, when the last task has come to rest: of what has changed
    since it was read last by the same descriptor."""
    deadline_s = time.monotonic() + limit_s
    fd = os.open(f"{directory}/cgroup.events", os.O_RDONLY | os.O_CLOEXEC)
    try:
        poll = select.poll()
        poll.register(fd, select.POLLPRI)
        write_value(directory, "cgroup.freeze", "1")
        while _FROZEN not in os.pread(fd, _EVENTS_BYTES, 0).split(b"\n"):
            left_s = deadline_s - time.monotonic()
            if left_s <= 0:
                write_value(directory, "cgroup.freeze", "0")
                raise OSError(f"{directory} did not become frozen")
            poll.poll(1000 * left_s)
    finally:
        os.close(fd)
