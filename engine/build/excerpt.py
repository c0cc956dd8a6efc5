"""Lines of a Dockerfile around a mistake, as BuildKit shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.build.instructions import Dockerfile

_AROUND = 2
_MOST = 16  # lines of one instruction
_RULE = "-" * 20


class Source:
    """The text of a Dockerfile; `dockerfile` is what it says, once it has been read."""

    def __init__(self, text: str, name: str) -> None:
        self._lines = text.replace("\r\n", "\n").rstrip("\n").split("\n")
        self._name = name
        self.dockerfile: Dockerfile | None = None

    def excerpt(self, where: str | None) -> str:
        """The instruction that `where` (`Dockerfile:7:1`) is in, marked, and the lines around it;
        empty where that is in no line of the file."""
        before, _, place = (where or "").rpartition(f"{self._name}:")
        number = place.partition(":")[0]
        if before or not number.isdecimal() or not 1 <= int(number) <= len(self._lines):
            return ""
        first, last = self._span(int(number))
        begin, end = max(first - _AROUND, 1), min(last + _AROUND, len(self._lines))
        shown = [self._line(n, marked=first <= n <= last) for n in range(begin, end + 1)]
        return "\n".join([f"{self._name}:{number}", _RULE, *shown, _RULE])

    def _line(self, number: int, *, marked: bool) -> str:
        mark = ">>>" if marked else "   "
        return f"{number:>4} | {mark} {self._lines[number - 1]}".rstrip()

    def _span(self, number: int) -> tuple[int, int]:
        """First and last line of the instruction that a line is in."""
        for stage in self.dockerfile.stages if self.dockerfile else ():
            for instruction in (stage.start, *stage.instructions):
                line = instruction.line
                if line.number <= number <= line.last_number:
                    return line.number, min(line.last_number, line.number + _MOST)
        return number, number
