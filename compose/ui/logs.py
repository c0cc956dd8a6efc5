"""Lines of several containers on one stream, each with its name in its colour (cli.md 6)."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import TextIO

    from compose.ui.console import Console
    from engine import LogLine

# cyan, yellow, green, magenta, blue; then the same, intense
COLOURS = tuple(f"\x1b[{code}m" for code in ("36", "33", "32", "35", "34")) + tuple(
    f"\x1b[{code};1m" for code in ("36", "33", "32", "35", "34")
)
RESET = "\x1b[0m"
_AT_ONCE = 512  # lines in one write
_LONGEST_BYTES = 1 << 20  # of a line that waits for its end
ERASE_LINE = "\r\x1b[K"


def stamp_of(seconds: float) -> str:
    """A moment as log lines have it: RFC 3339 in UTC with nanoseconds, which sorts as text."""
    whole, nanoseconds = divmod(round(seconds * 1_000_000_000), 1_000_000_000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(whole))}.{nanoseconds:09d}Z"


class LogPrinter:
    """Prints log lines with the prefix `web-1  | `.

    names        those known now: colours go by their order, the width by the longest
    stderr       lines of a container's stderr go to our stderr (`up`) instead of stdout (`logs`)
    timestamps   each line begins with the time it was written
    """

    def __init__(
        self,
        console: Console,
        names: Iterable[str] = (),
        *,
        colour: bool = True,
        prefix: bool = True,
        timestamps: bool = False,
        stderr: bool = False,
    ) -> None:
        self._coloured = colour and console.coloured(sys.stdout)
        self._prefix, self._timestamps, self._stderr = prefix, timestamps, stderr
        self._colours: dict[str, str] = {}
        self._width = 0
        self._prefixes: dict[str, bytes] = {}
        self._partial: dict[tuple[str, str], bytes] = {}
        for name in sorted(names):
            self.add(name)

    def add(self, name: str) -> None:
        """Give a name its colour; lines already printed keep their width."""
        if name not in self._colours:
            self._colours[name] = COLOURS[len(self._colours) % len(COLOURS)]
            self._width = max(self._width, len(name) + 1)
            self._prefixes = {}

    def lines(self, entries: Iterable[tuple[str, LogLine]]) -> None:
        """Print lines with their names, many in one write; a partial one waits for its rest."""
        waiting: list[bytes] = []
        target = sys.stdout
        for name, line in entries:
            text = line.text
            if line.partial or self._partial:
                key = (name, line.stream)
                text = self._partial.pop(key, b"") + text
                if line.partial and len(text) < _LONGEST_BYTES:
                    self._partial[key] = text
                    continue
            stream = sys.stderr if self._stderr and line.stream == "stderr" else sys.stdout
            if stream is not target or len(waiting) >= _AT_ONCE:
                _write(target, waiting)
                target, waiting = stream, []
            if self._timestamps:
                text = line.stamp.encode() + b" " + text
            prefix = self._prefix_of(name)
            waiting.append(prefix + text.replace(b"\n", b"\n" + prefix))
        _write(target, waiting)

    def event(self, name: str, text: str) -> None:
        """Print `web-1 exited with code 0`, coloured whole."""
        self.add(name)
        if self._coloured:
            sys.stdout.write(f"{ERASE_LINE}{self._colours[name]}{name} {text}{RESET}\n")
        else:
            sys.stdout.write(f"{name} {text}\n")
        sys.stdout.flush()

    def _prefix_of(self, name: str) -> bytes:
        if not self._prefix:
            return b""
        if name not in self._prefixes:
            self.add(name)
            text = f"{name:<{self._width}} | "
            shown = f"{self._colours[name]}{text}{RESET}" if self._coloured else text
            self._prefixes[name] = shown.encode()
        return self._prefixes[name]


def _write(stream: TextIO, lines: list[bytes]) -> None:
    if lines:
        stream.buffer.write(b"\n".join(lines) + b"\n")
        stream.flush()
