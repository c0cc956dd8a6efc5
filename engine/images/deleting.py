"""Deleting what may be large: renamed away at once, deleted by a process that ends with its work.

Where a disk is told of every block that is freed, 58,000 files take ten seconds: too long for a
command to wait that has nothing else to do. What is left when the process is killed is deleted
by the next one.
"""

from __future__ import annotations

import os

from engine.kernel.removal import Clearing

_DOOMED = "gone-"
_PREFIXES = (_DOOMED, "container-", "volume-")  # those of other parts are as good as gone, too
_MOST_PROCESSES = 4
_MANY = 64  # directories that are worth another process
PATIENCE_S = 1.0  # small things are gone when a command returns


def is_doomed(name: str) -> bool:
    """Whether what has this name in the temporary directory is to be deleted."""
    return name.startswith(_PREFIXES)


def doom(path: str, temporary: str) -> None:
    """What is at `path` is no longer there, and will be deleted. Accepts absence."""
    try:
        os.rename(path, f"{temporary}/{_DOOMED}{os.urandom(8).hex()}")
    except FileNotFoundError:
        return


def delete_doomed(temporary: str, wait_s: float | None = PATIENCE_S) -> bool:
    """Start deleting; whether it is done after `wait_s` seconds (None: however long it takes)."""
    if not any(map(is_doomed, os.listdir(temporary))):
        return True
    import select

    pid, end = _start(temporary)
    try:
        if not select.select([end], [], [], wait_s)[0]:
            return False
    finally:
        os.close(end)
    os.waitpid(pid, 0)
    return True


def _start(temporary: str) -> tuple[int, int]:
    """The process, and a descriptor that is at its end when the process is."""
    from engine.kernel.interpreter import command_line

    argv = command_line("engine.images.deleting", temporary)
    end, held = os.pipe()
    nothing = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
    try:
        streams = [(os.POSIX_SPAWN_DUP2, fd, at) for at, fd in enumerate((nothing, held, nothing))]
        pid = os.posix_spawn(  # `subprocess` takes 10 ms to import
            *(argv[0], argv, {}),
            file_actions=streams,
            setsid=True,  # Ctrl-C is not for it
        )
    except BaseException:
        os.close(end)
        raise
    finally:
        os.close(held)
        os.close(nothing)
    return pid, end


def main(temporary: str) -> int:
    """Delete all that is doomed; what another process deletes at the same time is no failure.

    The time is the kernel's: several processors are faster, and what is left when one of the
    processes is killed is as doomed as the rest.
    """
    top = os.open(temporary, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    clearing = Clearing(top, _DOOMED)
    with os.scandir(top) as entries:
        doomed = [entry for entry in entries if is_doomed(entry.name)]
    files = [entry.name for entry in doomed if not entry.is_dir(follow_symlinks=False)]
    waiting = [entry.name for entry in doomed if entry.is_dir(follow_symlinks=False)]
    while 0 < len(waiting) < _MANY:
        waiting = clearing.remove_level(waiting)
    waiting = files + waiting
    team = min(len(os.sched_getaffinity(0)), _MOST_PROCESSES)
    shares = [waiting[number::team] for number in range(team)]
    others = [_remove_aside(top, share) for share in shares[1:] if share]
    clearing.remove(shares[0])
    for pid in others:
        os.waitpid(pid, 0)
    return 0


def _remove_aside(top: int, names: list[str]) -> int:
    """In a process of its own; its id."""
    pid = os.fork()
    if pid:
        return pid
    try:
        Clearing(top, _DOOMED).remove(names)
    finally:
        os._exit(0)
