"""Where output goes and whether it is coloured. Does not import rich: most commands need none."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TextIO


_DUMB = os.environ.get("TERM") == "dumb"  # it has no colours, and its cursor cannot be moved


class Console:
    """Results go to stdout; what is going on goes to stderr (COMPOSE_STATUS_STDOUT: stdout).

    ansi      auto, never, always: colour and cursor control (COMPOSE_ANSI, NO_COLOR)
    progress  auto, tty, plain, json, quiet (COMPOSE_PROGRESS)
    """

    def __init__(self, ansi: str | None = None, progress: str | None = None) -> None:
        self.ansi = ansi or os.environ.get("COMPOSE_ANSI") or "auto"
        self.progress = progress or os.environ.get("COMPOSE_PROGRESS") or "auto"
        to_stdout = os.environ.get("COMPOSE_STATUS_STDOUT", "").lower() in ("1", "true")
        self.status_stream: TextIO = sys.stdout if to_stdout else sys.stderr

    def out(self, text: str, *, end: str = "\n") -> None:
        """One line of a result, on stdout."""
        sys.stdout.write(text + end)

    def status(self, text: str) -> None:
        """One line about what is going on."""
        self.status_stream.write(text + "\n")
        self.status_stream.flush()

    def warn(self, text: str) -> None:
        """One line about something the user may not expect."""
        yellow, reset = ("\x1b[33m", "\x1b[0m") if self.coloured(self.status_stream) else ("", "")
        self.status(f"{yellow}warning{reset}: {text}")

    def coloured(self, stream: TextIO) -> bool:
        """Whether colours go to `stream`."""
        if self.ansi != "auto":
            return self.ansi == "always"
        return stream.isatty() and not _DUMB and not os.environ.get("NO_COLOR")

    @property
    def drawable(self) -> bool:
        """Whether a result may be drawn in place: on a terminal whose cursor can be moved."""
        return self.ansi != "never" and sys.stdout.isatty() and not _DUMB

    @property
    def live(self) -> bool:
        """Whether progress is drawn in place."""
        if self.progress in ("auto", "tty") and self.ansi != "never":
            return self.progress == "tty" or (self.status_stream.isatty() and not _DUMB)
        return False
