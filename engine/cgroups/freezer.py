"""Freezing: all processes of a group stop being scheduled, until thawed."""

from __future__ import annotations

import os
import time

from engine.cgroups.hierarchy import V2, read_counters, read_words, write_value

_TRIES = 1000
_PAUSE_S = 0.01


def set_frozen(directories: dict[str, str], *, frozen: bool) -> bool:
    """Freeze or thaw, and wait until it is so. False where the kernel has no freezer for us."""
    if "freezer" in directories:
        _set_v1(directories["freezer"], "FROZEN" if frozen else "THAWED")
        return True
    if V2 in directories and os.path.exists(f"{directories[V2]}/cgroup.freeze"):
        _set_v2(directories[V2], frozen)
        return True
    return False


def _set_v1(directory: str, state: str) -> None:
    """A fork during the freeze leaves it half done (FREEZING): it is asked for again."""
    for _ in range(_TRIES):
        write_value(directory, "freezer.state", state)
        if read_words(f"{directory}/freezer.state") == [state]:
            return
        time.sleep(_PAUSE_S)
    write_value(directory, "freezer.state", "THAWED")
    raise OSError(f"{directory} did not become {state}")


def _set_v2(directory: str, frozen: bool) -> None:
    write_value(directory, "cgroup.freeze", "1" if frozen else "0")
    for _ in range(_TRIES):
        if read_counters(f"{directory}/cgroup.events").get("frozen", 0) == int(frozen):
            return
        time.sleep(_PAUSE_S)
    raise OSError(f"{directory} did not become {'frozen' if frozen else 'thawed'}")


def is_frozen(directories: dict[str, str]) -> bool:
    """Whether a group is frozen, or on its way; False where it is gone."""
    if "freezer" in directories:
        return read_words(f"{directories['freezer']}/freezer.state") in (["FROZEN"], ["FREEZING"])
    return read_words(f"{directories.get(V2, '')}/cgroup.freeze") == ["1"]
