"""The grammar of `.env`, env_file and label_file (compose-file.md 12.2)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from compose.errors import EnvFileSyntax
from compose.source.template import MAX_LENGTH, Malformed, Unset, substitute
from compose.source.words import shortened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

MAX_SETTINGS = 50_000  # lines of a file that set a variable
_KEY = re.compile(r"[\w.\-\[\]]+")
_BLANK = re.compile(r"[ \t\r\f\v]*")
_SKIPPED = re.compile(r"(?:\s|#[^\n]*)*")
_RAW_BLANK = re.compile(r"\s")
_EXPORT = re.compile(r"export[ \t]+")
_COMMENT = re.compile(r"[ \t]#.*")
_AFTER_QUOTE = re.compile(r"[ \t\r]*(#[^\n]*)?(\n|\Z)")
_OCTAL = re.compile(r"0([0-7]{3})")
_ESCAPES = {
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "v": "\v",
    "\\": "\\",
    '"': '"',
    "$": "$$",  # what the template grammar reads as a dollar sign
}


class Setting(NamedTuple):
    """A line that sets a variable, or with None takes it out; `where` as `file:line:column`.

    passed_from   a variable that is passed on: `shell`, or the place in an environment file
    """

    name: str
    value: str | None
    where: str
    passed_from: str | None = None


def parse_dotenv(
    text: str,
    file: str,
    lookup: Callable[[str], str | None],
    missing: Callable[[str], None],
    notice: Callable[[str, str], None] = lambda what, where: None,
) -> dict[str, str]:
    """The variables of an environment file; of a repeated one the last value.

    file      how problems name it
    lookup    variables from outside; in values they go above those set earlier in the file
    missing   told the name of each unset variable that a value refers to
    notice    told what is read otherwise than it may be meant: a sentence, `file:line:column`

    A key alone takes its value from `lookup`, and is left out when there is none.
    Raises EnvFileSyntax.
    """
    return values_of(read_dotenv(text, file, lookup, missing, notice))


def values_of(settings: Iterable[Setting]) -> dict[str, str]:
    """The variables that are set: of a repeated name the last value."""
    return {one.name: one.value for one in settings if one.value is not None}


def read_dotenv(
    text: str,
    file: str,
    lookup: Callable[[str], str | None],
    missing: Callable[[str], None],
    notice: Callable[[str, str], None],
    earlier: Mapping[str, str] = {},
) -> list[Setting]:
    """As `parse_dotenv`, with the place of every setting, repeated names included.

    earlier   variables of files before this one, which its own go above
    """
    return _Parser(text, file, lookup, missing, notice, earlier).parse()


def read_raw(text: str, file: str, lookup: Callable[[str], str | None]) -> list[Setting]:
    """The settings of a file in `format: raw`: no quotes, no expansion, `KEY` alone inherits.

    Raises EnvFileSyntax.
    """
    settings: list[Setting] = []
    for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        key, separator, value = line.partition("=")
        key, where = key.lstrip(), f"{file}:{number}:1"
        if not key or _RAW_BLANK.search(key):
            hint = "`format: raw` is `KEY=VALUE` alone: no `export`, no blanks around the `=`"
            raise EnvFileSyntax(f"`{key}` is not a name of a variable", where=where, hint=hint)
        found = value if separator else lookup(key)
        if found is not None:
            settings.append(Setting(key, found, where))
    return settings


class _Parser:
    def __init__(
        self,
        text: str,
        file: str,
        lookup: Callable[[str], str | None],
        missing: Callable[[str], None],
        notice: Callable[[str, str], None],
        earlier: Mapping[str, str],
    ) -> None:
        self._text = text.removeprefix("\ufeff").replace("\r\n", "\n")
        self._file = file
        self._outside, self._missing, self._notice = lookup, missing, notice
        self._position = 0
        self._values = dict(earlier)
        self._settings: list[Setting] = []
        self._counted = 0, 1  # a position, and its line
        self._length = 0  # of all values

    def parse(self) -> list[Setting]:
        while self._skip(_SKIPPED) < len(self._text):
            self._entry()
        return self._settings

    def _set(self, name: str, value: str, start: int) -> None:
        self._values[name] = value
        self._length += len(value)
        if self._length > MAX_LENGTH:
            self._position = start
            raise self._problem(f"the values come to more than {MAX_LENGTH} characters")
        self._settings.append(Setting(name, value, self._where(start)))
        if len(self._settings) > MAX_SETTINGS:
            raise self._problem(f"the file sets more than {MAX_SETTINGS} variables")

    def _lookup(self, name: str) -> str | None:
        value = self._outside(name)
        return self._values.get(name) if value is None else value

    def _entry(self) -> None:
        self._skip(_EXPORT)
        start = self._position
        match = _KEY.match(self._text, start)
        if match is None:
            if not self._text[start:].strip():
                raise self._problem("after `export` there is no name of a variable")
            raise self._problem(f"`{self._text[start]}` cannot begin a variable's name")
        key = match[0]
        self._position = match.end()
        self._skip(_BLANK)
        separator = self._text[self._position : self._position + 1]
        if separator in ("", "\n"):
            self._inherit(key, start)
        elif separator in "=:":
            self._position += 1
            self._skip(_BLANK)
            self._set(key, self._value(), start)
        else:
            line = self._text[start:].partition("\n")[0]
            raise self._problem(f"`{separator}` cannot stand in the name of a variable: `{line}`")

    def _inherit(self, key: str, start: int) -> None:
        value = self._lookup(key)
        if value is not None:
            self._set(key, value, start)

    def _value(self) -> str:
        match self._text[self._position : self._position + 1]:
            case "'":
                return self._single_quoted()
            case '"':
                return self._double_quoted()
        start = self._position
        end = self._text.find("\n", start)
        self._position = len(self._text) if end < 0 else end
        line = self._text[start : self._position]
        return self._expand(_COMMENT.sub("", line, count=1).rstrip(), start)

    def _single_quoted(self) -> str:
        inner = self._quoted("'")
        self._after_quote()
        return inner.replace("\\'", "'")

    def _double_quoted(self) -> str:
        start = self._position
        inner = self._quoted('"')
        self._after_quote()
        return self._expand(_unescaped(inner), start)

    def _quoted(self, quote: str) -> str:
        """What stands between quotes, escapes not yet replaced."""
        start = index = self._position + 1
        while index < len(self._text) and self._text[index] != quote:
            index += 2 if self._text[index] == "\\" else 1
        if index >= len(self._text):
            raise self._problem(f"the quote {quote} that begins here is not closed")
        self._position = index + 1
        return self._text[start:index]

    def _after_quote(self) -> None:
        """As with the reference, what begins like another variable is one."""
        if match := _AFTER_QUOTE.match(self._text, self._position):
            self._position = match.end()
            return
        self._skip(_BLANK)
        if not _KEY.match(self._text, self._position):
            raise self._problem("only a comment may follow a closing quote")
        rest = self._text[self._position :].partition("\n")[0]
        what = f"`{shortened(rest)}` after the closing quote is read as a variable of its own"
        self._notice(what, self._where(self._position))

    def _expand(self, value: str, start: int) -> str:
        try:
            return substitute(value, self._lookup, self._missing)
        except Malformed as error:
            what, hint = str(error), "write `$$` for a dollar sign"
        except Unset as error:
            what, hint = f"required variable `{error.name}` has no value: {error.message}", None
        self._position = start
        raise self._problem(what, hint)

    def _skip(self, pattern: re.Pattern[str]) -> int:
        if match := pattern.match(self._text, self._position):
            self._position = match.end()
        return self._position

    def _problem(self, what: str, hint: str | None = None) -> EnvFileSyntax:
        return EnvFileSyntax(what, where=self._where(self._position), hint=hint)

    def _where(self, position: int) -> str:
        begin, line = self._counted if self._counted[0] <= position else (0, 1)
        line += self._text.count("\n", begin, position)
        self._counted = position, line
        column = position - self._text.rfind("\n", 0, position)
        return f"{self._file}:{line}:{column}"


def _unescaped(text: str) -> str:
    parts: list[str] = []
    index = 0
    while index < len(text):
        if text[index] != "\\" or index + 1 == len(text):
            parts.append(text[index])
            index += 1
        elif octal := _OCTAL.match(text, index + 1):
            parts.append(chr(int(octal[1], 8)))
            index = octal.end()
        else:
            parts.append(_ESCAPES.get(text[index + 1], text[index : index + 2]))
            index += 2
    return "".join(parts)
