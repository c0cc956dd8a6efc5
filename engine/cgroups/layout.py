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

_REMOVE_LIMIT_S = 10.0
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
            _require_domain(directory)
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
    wanted = set(read_words(f"{directory}/cgroup.controllers"))
    missing = sorted(wanted - set(read_words(f"{directory}/cgroup.subtree_control")))
    if missing and _is_inhabited(directory) and not (is_top and _move_down(directory)):
        return  # some could be passed on all the same, and would make of it a group of threads
    for controller in missing:
        try:
            write_value(directory, "cgroup.subtree_control", f"+{controller}")
        except OSError:  # no delegation, or processes in the way: limits are discarded, by name
            continue


def _is_inhabited(directory: str) -> bool:
    """Whether it has processes of its own that are in the way; in the very first they are not.

    The top of a cgroup namespace looks like the first group of a machine and is none: in a
    container that runs containers, its own processes are in the way, and moved.
    """
    is_first = not os.path.exists(f"{directory}/cgroup.type")
    return not is_first and bool(read_words(f"{directory}/cgroup.procs"))


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
    """Raise OSError for a group of threads, and for one below it: it could take no process."""
    if " ".join(read_words(f"{directory}/cgroup.type")) in ("threaded", "domain invalid"):
        what = "a threaded cgroup, or one below such, can hold no container"
        raise OSError(errno.EOPNOTSUPP, what, directory)


def remove_tree(top: str) -> None:
    """Remove a group and those in it; accepts absence. Dying processes are waited for: on a busy
    host one that was killed may have to wait for its turn."""
    deadline_s = time.monotonic() + _REMOVE_LIMIT_S
    for path in reversed(list(_directories(top))):
        while True:
            try:
                os.rmdir(path)
                break
            except FileNotFoundError:
                break
            except OSError as error:
                if error.errno != errno.EBUSY or time.monotonic() > deadline_s:
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
