"""Deleting what may be large: renamed away at once, deleted by a process that ends with its work.

Where a disk is told of every block that is freed, 58,000 files take ten seconds: too long for a
command to wait that has nothing else to do. What is left when the process is killed is deleted
by the next one.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil

TYPE_CHECKING = False  # `typing` takes 3 ms
if TYPE_CHECKING:
    from collections.abc import Iterable

_DOOMED = "gone-"
_DOOMED_ELSEWHERE = ("container-", "volume-")  # by commands that were killed
PATIENCE_S = 1.0  # small things are gone when a command returns


def doom(path: str, temporary: str) -> None:
    """What is at `path` is no longer there, and will be deleted. Accepts absence."""
    try:
        os.rename(path, f"{temporary}/{_DOOMED}{secrets.token_hex(8)}")
    except FileNotFoundError:
        return


def delete_doomed(temporary: str, wait_s: float | None = PATIENCE_S) -> bool:
    """Start deleting; whether it is done after `wait_s` seconds (None: however long it takes)."""
    if not any(_names(temporary)):
        return True
    import subprocess

    from engine.kernel.interpreter import command_line

    deleting = subprocess.Popen(
        command_line("engine.images.deleting", temporary),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C is not for it
    )
    try:
        deleting.wait(wait_s)
    except subprocess.TimeoutExpired:
        deleting.returncode = 0  # it is left to itself, and that is no reason for a warning
        return False
    return True


def main(temporary: str) -> int:
    """Delete all that is doomed; what another process deletes at the same time is no failure."""
    for name in _names(temporary):
        path = f"{temporary}/{name}"
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path, ignore_errors=True)
        else:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
    return 0


def _names(temporary: str) -> Iterable[str]:
    prefixes = (_DOOMED, *_DOOMED_ELSEWHERE)
    return [name for name in os.listdir(temporary) if name.startswith(prefixes)]
