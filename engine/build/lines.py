"""A Dockerfile's text as logical lines: comments out, continuations joined, heredocs attached.

Source: engine.md D6.1 (directives), D6.2 (lines), D6.5 (heredocs).
"""

from __future__ import annotations

import re

from engine.build.words import Lexer, WordError
from engine.errors import BuildProblem
from engine.kernel.record import Record

_DIRECTIVE = re.compile(r"#\s*([A-Za-z][A-Za-z0-9]*)\s*=\s*(.+?)\s*$")
_HEREDOC = re.compile(r"(\d*)<<(-?)([^<]+)$")
_MAY_HAVE_HEREDOCS = re.compile(r"\s*(?:ONBUILD\s+)?(?:ADD|COPY|RUN)\s", re.IGNORECASE)
DIRECTIVES = ("syntax", "escape", "check")


class Heredoc(Record):
    """`<<NAME` and the lines up to NAME. `expand` is off where the name was quoted."""

    name: str
    body: str
    terminator: str  # the closing line, as written
    expand: bool


class Line(Record):
    """One instruction as text. `pieces` says which physical line each part of `text` came from,
    as (offset in `text`, line number from 1, column from 1)."""

    text: str
    number: int
    last_number: int
    pieces: tuple[tuple[int, int, int], ...]
    heredocs: tuple[Heredoc, ...] = ()

    def position(self, offset: int) -> tuple[int, int]:
        """(line, column) of a character of `text`."""
        piece = next(piece for piece in reversed(self.pieces) if piece[0] <= offset)
        return piece[1], piece[2] + offset - piece[0]


class Lines(Record):
    """The lines of one file, its directives, and what to warn of."""

    name: str  # of the file, for messages
    lines: tuple[Line, ...]
    escape: str
    directives: dict[str, str]
    warnings: tuple[str, ...]


def split_lines(text: str, name: str) -> Lines:
    """Raises BuildProblem for a repeated or wrong directive and an unterminated heredoc."""
    physical = text.removeprefix("\ufeff").replace("\r\n", "\n").split("\n")
    if physical and not physical[-1]:
        physical.pop()
    directives = _directives(physical, name)
    return _Splitter(physical, name, directives).split()


def split_text(text: str, name: str, escape: str) -> tuple[Line, ...]:
    """The lines of a text that has no directives."""
    return _Splitter(text.split("\n"), name, {"escape": escape}).split().lines


def _directives(physical: list[str], name: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for number, line in enumerate(physical, 1):
        match = _DIRECTIVE.match(line.strip())
        key = match[1].lower() if match else ""
        if match is None or key not in DIRECTIVES:
            break
        if key in found:
            raise BuildProblem(
                f"only one {key} parser directive can be used",
                where=f"{name}:{number}:1",
                code="dockerfile-syntax",
            )
        found[key] = match[2]
        if key == "escape" and match[2] not in ("\\", "`"):
            raise BuildProblem(
                f"invalid escape directive `{match[2]}`",
                where=f"{name}:{number}:1",
                hint="it must be a backslash or a backtick",
                code="dockerfile-syntax",
            )
    return found


class _Splitter:
    def __init__(self, physical: list[str], name: str, directives: dict[str, str]) -> None:
        self._physical, self._name, self._directives = physical, name, directives
        self._escape = directives.get("escape", "\\")
        one = re.escape(self._escape)
        self._continues = re.compile(rf"(?<!{one}){one}[ \t]*$")
        self._next = 0
        self._warnings: list[str] = []

    def split(self) -> Lines:
        lines = []
        while self._next < len(self._physical):
            line = self._take_line()
            if line is not None:
                lines.append(line)
        return Lines(
            name=self._name,
            lines=tuple(lines),
            escape=self._escape,
            directives=self._directives,
            warnings=tuple(self._warnings),
        )

    def _take_line(self) -> Line | None:
        first = self._next
        raw = self._physical[first]
        text = raw.lstrip()
        self._next += 1
        if not text or text.startswith("#"):
            return None
        text, goes_on = self._cut(text)
        pieces = [(0, first + 1, len(raw) - len(raw.lstrip()) + 1)]
        while goes_on and self._next < len(self._physical):
            part = self._physical[self._next]
            self._next += 1
            if part.lstrip().startswith("#"):
                continue
            if not part.strip():
                self._warnings.append(f"{self._name}:{self._next}: empty continuation line")
                continue
            part, goes_on = self._cut(part)
            pieces.append((len(text), self._next, 1))
            text += part
        if not text.strip():
            return None
        heredocs = tuple(self._heredocs(text, first + 1))
        return Line(
            text=text,
            number=first + 1,
            last_number=self._next,
            pieces=tuple(pieces),
            heredocs=heredocs,
        )

    def _cut(self, part: str) -> tuple[str, bool]:
        """Without its continuation character; whether it had one."""
        match = self._continues.search(part)
        return (part[: match.start()], True) if match else (part, False)

    def _heredocs(self, text: str, number: int) -> list[Heredoc]:
        if "<<" not in text or not _MAY_HAVE_HEREDOCS.match(text):
            return []
        return [
            self._take_heredoc(name, expand, strip_tabs, number)
            for name, expand, strip_tabs in heredoc_names(text, self._escape)
        ]

    def _take_heredoc(self, name: str, expand: bool, strip_tabs: bool, number: int) -> Heredoc:
        body: list[str] = []
        while self._next < len(self._physical):
            line = self._physical[self._next]
            self._next += 1
            line = line.lstrip("\t") if strip_tabs else line
            if line == name:
                return Heredoc(
                    name=name,
                    body="".join(f"{kept}\n" for kept in body),
                    terminator=line,
                    expand=expand,
                )
            body.append(line)
        raise BuildProblem(
            f"unterminated heredoc: no line is just `{name}`",
            where=f"{self._name}:{number}:1",
            code="dockerfile-syntax",
        )


def heredoc_names(text: str, escape: str = "\\") -> list[tuple[str, bool, bool]]:
    """The heredocs that a line opens: (name, expand its body, strip leading tabs)."""
    try:
        words = Lexer({}, escape, raw=True).words(text)
    except WordError:
        return []  # not ours to judge: RUN's text is the shell's
    found = []
    for word in words:
        match = _HEREDOC.match(word)
        if match:
            name = Lexer({}, escape).word(match[3])
            found.append((name, name == match[3], bool(match[2])))
    return found
