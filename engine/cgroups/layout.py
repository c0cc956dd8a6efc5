"""Making and removing the directories of a group, level by level.

Below a mount of cgroup v2, controllers reach a group only if every group above passes them on, and
a group that passes controllers on can have no processes of its own, but for the very first of the
machine. On a machine that systemd manages, our groups lie beside its slices: it leaves alone what
it did not make, and the kernel does not let it take back a controller that is passed on to us.
"""

from __future__ import annotations

import contextlib
import errno
import os
import time

from engine.cgroups import cpuset
from engine.cgroups.hierarchy import V2, read_words, write_value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_REMOVE_TRIES = 60
_REMOVE_PAUSE_S = 0.005
_INHABITANTS = "init"  # where processes go that are in the way


def make(key: str, point: str, path: str) -> None:
    """Make `path` below the mount `point` of the hierarchy `key`; what exists is accepted.

    Raises FileNotFoundError where another command removes a level meanwhile.
    """
    levels = path.strip("/").split("/")
    directory = point
    for number, name in enumerate(levels):
        if key == V2:
            _pass_on(directory, is_top=number == 0)
        directory = f"{directory}/{name}"
        with contextlib.suppress(FileExistsError):
            os.mkdir(directory)
        if key == "cpuset":
            cpuset.inherit(directory)
    if key == V2:
        _require_domain(directory)


def _pass_on(directory: str, *, is_top: bool) -> None:
    """Every controller that `directory` has, one by one: one that is busy stops no other."""
    wanted = read_words(f"{directory}/cgroup.controllers")
    enabled = read_words(f"{directory}/cgroup.subtree_control")
    for controller in sorted(set(wanted) - set(enabled)):
        try:
            _enable(directory, controller)
        except OSError as error:
            # The top of a cgroup namespace looks like the first group of a machine and is none:
            # in a container that runs containers, its own processes are in the way.
            if is_top and error.errno == errno.EBUSY and _move_down(directory):
                _enable(directory, controller)
            # else no delegation, or processes in the way: limits are discarded, by name


def _enable(directory: str, controller: str) -> None:
    write_value(directory, "cgroup.subtree_control", f"+{controller}")


def _move_down(directory: str) -> bool:
    """Move the processes of a group into one of their own below it; False where that fails."""
    inside = f"{directory}/{_INHABITANTS}"
    try:
        os.makedirs(inside, exist_ok=True)
        while pids := read_words(f"{directory}/cgroup.procs"):
            for pid in pids:
                _move(inside, pid)
    except OSError:
        return False
    return True


def _move(directory: str, pid: str) -> None:
    try:
        write_value(directory, "cgroup.procs", pid)
    except ProcessLookupError:  # it has just ended
        return


def _require_domain(directory: str) -> None:
    """Raise OSError for a group below a threaded one, which could take no process."""
    kind = " ".join(read_words(f"{directory}/cgroup.type"))
    if kind == "domain invalid":
        what = "a threaded cgroup is above it: it can hold no container"
        raise OSError(errno.EOPNOTSUPP, what, directory)


def remove_tree(top: str) -> None:
    """Remove a group and those in it; accepts absence. Dying processes are waited for briefly."""
    for path in reversed(list(_directories(top))):
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


def remove_if_empty(directory: str) -> None:
    """Remove a group unless others are in it."""
    try:
        os.rmdir(directory)
    except OSError:  # others are, or it has gone
        return


def _directories(top: str) -> Iterator[str]:
    for path, _, _ in os.walk(top):
        yield path
