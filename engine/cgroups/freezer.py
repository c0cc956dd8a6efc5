"""Freezing: all processes of a group stop being scheduled, until thawed."""

from __future__ import annotations

import os
import select
import time

from engine.cgroups.hierarchy import V2, read_counters, read_words, write_value

_TRIES = 1000
_PAUSE_S = 0.01
_GIVE_WAY = 50  # v1: after so many tries they run for a moment


def set_frozen(directories: dict[str, str], *, frozen: bool) -> bool:
    """Freeze or thaw, and wait until it is so. False where the kernel has no freezer for us.

    v2 goes first where both are: what it has frozen can still be killed.
    """
    if V2 in directories and os.path.exists(f"{directories[V2]}/cgroup.freeze"):
        _set_v2(directories[V2], frozen)
        return True
    if "freezer" in directories:
        _set_v1(directories["freezer"], "FROZEN" if frozen else "THAWED")
        return True
    return False


def is_frozen(directories: dict[str, str]) -> bool:
    """Whether a group itself is frozen, or on its way, not only with one above it; False where
    it is gone."""
    unified, v1 = directories.get(V2, ""), directories.get("freezer", "")
    asked = (f"{unified}/cgroup.freeze", f"{v1}/freezer.self_freezing")
    return any(read_words(path) == ["1"] for path in asked)


def _set_v1(directory: str, state: str) -> None:
    """A fork during the freeze leaves it half done (FREEZING): it is asked for again."""
    for attempt in range(1, _TRIES + 1):
        write_value(directory, "freezer.state", state)
        if read_words(f"{directory}/freezer.state") == [state]:
            return
        if attempt % _GIVE_WAY == 0:  # one may wait for another that is frozen already
            write_value(directory, "freezer.state", "THAWED")
        time.sleep(_PAUSE_S)
    write_value(directory, "freezer.state", "THAWED")
    raise OSError(f"{directory} did not become {state}")


def _set_v2(directory: str, frozen: bool) -> None:
    """cgroup.events tells, by POLLPRI, when the last task has come to rest."""
    fd = os.open(f"{directory}/cgroup.events", os.O_RDONLY | os.O_CLOEXEC)
    try:
        poll = select.poll()
        poll.register(fd, select.POLLPRI)
        write_value(directory, "cgroup.freeze", "1" if frozen else "0")
        for _ in range(_TRIES):
            if read_counters(f"{directory}/cgroup.events").get("frozen", 0) == int(frozen):
                return
            poll.poll(1000 * _PAUSE_S)
    finally:
        os.close(fd)
    write_value(directory, "cgroup.freeze", "0")
    raise OSError(f"{directory} did not become {'frozen' if frozen else 'thawed'}")
