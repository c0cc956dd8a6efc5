"""Deleting what may be large: renamed away at once, deleted by a process that ends with its work.

Where a disk is told of every block that is freed, 58,000 files take ten seconds: too long for a
command to wait that has nothing else to do. What is left when the process is killed is deleted
by the next one.
"""

from __future__ import annotations

import contextlib
import os
import secrets

from engine.kernel.removal import remove_tree

_DOOMED = "gone-"
_PREFIXES = (_DOOMED, "container-", "volume-")  # those of other parts are as good as gone, too
PATIENCE_S = 1.0  # small things are gone when a command returns


def is_doomed(name: str) -> bool:
    """Whether what has this name in the temporary directory is to be deleted."""
    return name.startswith(_PREFIXES)


def doom(path: str, temporary: str) -> None:
    """What is at `path` is no longer there, and will be deleted. Accepts absence."""
    try:
        os.rename(path, f"{temporary}/{_DOOMED}{secrets.token_hex(8)}")
    except FileNotFoundError:
        return


def delete_doomed(temporary: str, wait_s: float | None = PATIENCE_S) -> bool:
    """Start deleting; whether it is done after `wait_s` seconds (None: however long it takes)."""
    if not any(map(is_doomed, os.listdir(temporary))):
        return True
    import select
    import subprocess

    from engine.kernel.interpreter import command_line

    deleting = subprocess.Popen(
        command_line("engine.images.deleting", temporary),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,  # it says nothing there: the end is told at once by its end
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C is not for it
    )
    assert deleting.stdout is not None
    with deleting.stdout as end:
        if not select.select([end], [], [], wait_s)[0]:
            deleting.returncode = 0  # it is left to itself, and that is no reason for a warning
            return False
    deleting.wait()
    return True


def main(temporary: str) -> int:
    """Delete all that is doomed; what another process deletes at the same time is no failure."""
    for name in filter(is_doomed, os.listdir(temporary)):
        path = f"{temporary}/{name}"
        if os.path.isdir(path) and not os.path.islink(path):
            with contextlib.suppress(OSError):
                remove_tree(path)
        else:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
    return 0
