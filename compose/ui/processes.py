"""A process in words, as `ps -ef` has them; the command comes last."""

from __future__ import annotations

import time

from compose.ui.printable import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from engine import Process

TITLES = ("SERVICE", "#", "UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD")
_DAY_S = 24 * 3600


def row(process: Process, now_s: float) -> tuple[str, ...]:
    """The cells from UID on."""
    lasted_s = max(now_s - process.started_at, 0.01)
    seconds = int(process.cpu_s)
    return (
        _user(process.uid),
        str(process.pid),
        str(process.parent_pid),
        str(min(99, int(100 * process.cpu_s / lasted_s))),
        _started(process.started_at, now_s),
        process.tty or "?",
        f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}",
        printable(process.command, keep=""),
    )


def _user(uid: int) -> str:
    """The host's name for it, as the ids are the host's."""
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _started(at_s: float, now_s: float) -> str:
    """`14:05` of today, `Nov24` of this year, else the year."""
    at = time.localtime(at_s)
    if now_s - at_s < _DAY_S and at.tm_mday == time.localtime(now_s).tm_mday:
        return time.strftime("%H:%M", at)
    same_year = at.tm_year == time.localtime(now_s).tm_year
    return time.strftime("%b%d" if same_year else "%Y", at)
