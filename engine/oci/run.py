"""`run`: create, start, and without --detach stay until the end."""

from __future__ import annotations

from engine.kernel.process import become_subreaper
from engine.oci.create import create
from engine.oci.delete import delete
from engine.oci.foreground import Terminal, attend, hold_signals
from engine.oci.start import start

TYPE_CHECKING = False
if TYPE_CHECKING:
    from engine.oci.log import Log
    from engine.oci.options import Given


def run(root: str, given: Given, log: Log) -> int:
    """The verb: 0 with --detach, else the exit code of the container, 128 + n by signal n."""
    detach = given.flag("detach")
    terminal = None if detach or given.text("console-socket") else Terminal()
    if not detach:
        become_subreaper()
    container = create(root, given.arguments[0], given, log, terminal)
    pid = container.pid
    if not detach:
        hold_signals()
    try:
        start(container, log)
    except BaseException:
        delete(container, log)
        raise
    if detach:
        return 0
    has_terminal = terminal is not None and terminal.master_fd >= 0
    code = attend(pid, terminal if has_terminal else None)
    if not given.flag("keep"):
        delete(container, log)
    return code
