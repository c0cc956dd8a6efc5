"""Quotes and variables of a Dockerfile's words, as BuildKit's lexer reads them (engine.md D6.7)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
_SPECIAL = "@*#?-$!0"
_END = ""


class WordError(ValueError):
    """What cannot be expanded; `offset` is where in the text it was noticed."""

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message)
        self.offset = offset


class Lexer:
    """Expands texts against one set of variables. Unset variables are empty.

    variables  names and values, as they were before the instruction
    escape     the escape character of the file
    raw        keep quotes, escapes and variables as they are written: words are only split
    quotes     whether they are anything special
    """

    def __init__(
        self,
        variables: Mapping[str, str],
        escape: str = "\\",
        *,
        raw: bool = False,
        quotes: bool = True,
    ) -> None:
        self._variables, self._escape, self._raw, self._quotes = variables, escape, raw, quotes

    def word(self, text: str) -> str:
        """The text with quotes removed and variables replaced; blanks stay. Raises WordError."""
        return self._scan(text).until(_END)

    def words(self, text: str) -> list[str]:
        """The same, split at blanks outside quotes, those of a variable's value included."""
        scan = self._scan(text)
        scan.until(_END)
        return scan.split()

    def _scan(self, text: str) -> _Scan:
        return _Scan(text, self._variables, self._escape, self._raw, self._quotes)


def variables_in(text: str) -> set[str]:
    """Names that a text takes a value from and gives no default for."""
    return {match[1] or match[2] for match in _VARIABLE.finditer(text)}


class _Scan:
    def __init__(
        self, text: str, variables: Mapping[str, str], escape: str, raw: bool, quotes: bool
    ) -> None:
        self._text, self._variables, self._escape, self._raw = text, variables, escape, raw
        self._quotes = quotes
        self._at = 0
        self._raw_escapes = raw
        self._words: list[str] = []
        self._in_word = False

    def split(self) -> list[str]:
        return self._words

    def until(self, stop: str) -> str:
        """Read up to the unquoted character `stop` (left unread), or to the end."""
        result = ""
        while (char := self._peek()) != stop:
            if char == _END:
                raise WordError(f"syntax error: missing `{stop}`", self._at)
            if char == "'" and self._quotes:
                result += self._keep(self._single_quoted())
            elif char == '"' and self._quotes:
                result += self._keep(self._double_quoted())
            elif char == "$" and not self._raw:
                result += self._let_split(self._dollar())
            elif char == self._escape:
                result += self._keep(self._escaped())
            else:
                result += self._let_split(self._take())
        return result

    def _keep(self, text: str) -> str:
        if not self._in_word:
            self._words.append("")
            self._in_word = True
        self._words[-1] += text
        return text

    def _let_split(self, text: str) -> str:
        for char in text:
            if char in " \t\n\v\f\r":
                self._in_word = False
            else:
                self._keep(char)
        return text

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _take(self) -> str:
        char = self._peek()
        self._at += 1
        return char

    def _escaped(self) -> str:
        escape = self._take()
        char = self._take()
        return escape + char if self._raw_escapes else char  # at the end of the text it just goes

    def _single_quoted(self) -> str:
        start = self._at
        end = self._text.find("'", start + 1)
        if end < 0:
            raise WordError("no matching single-quote", start)
        self._at = end + 1
        return self._text[start : end + 1] if self._raw else self._text[start + 1 : end]

    def _double_quoted(self) -> str:
        start = self._at
        result = self._take()
        while (char := self._peek()) != '"':
            if char == _END:
                raise WordError("no matching double-quote", start)
            if char == "$" and not self._raw:
                result += self._dollar()
            elif char == self._escape:
                result += self._escaped_in_quotes()
            else:
                result += self._take()
        result += self._take()
        return result if self._raw else result[1:-1]

    def _escaped_in_quotes(self) -> str:
        escape = self._take()
        following = self._take()
        if self._raw or following not in ('"', "$", self._escape):
            return escape + following
        return following

    def _dollar(self) -> str:
        start = self._at
        self._take()
        if self._peek() != "{":
            name = self._name()
            return self._variables.get(name, "") if name else "$"
        self._take()
        if self._peek() == _END:
            raise WordError("syntax error: missing `}`", start)
        if self._peek() in "{}:":
            raise WordError("syntax error: bad substitution", start)
        return self._braced(self._name(), start)

    def _name(self) -> str:
        first = self._peek()
        if first.isdigit():
            return self._take_while(str.isdigit)
        if first and first in _SPECIAL:
            return self._take()
        return self._take_while(lambda char: char.isalnum() or char == "_")

    def _take_while(self, accepts: Callable[[str], bool]) -> str:
        start = self._at
        while self._peek() and accepts(self._peek()):
            self._at += 1
        return self._text[start : self._at]

    def _braced(self, name: str, start: int) -> str:
        value = self._variables.get(name)
        operator = self._take()
        if operator == "}":
            return value or ""
        if operator == _END:
            raise WordError("syntax error: missing `}`", start)
        if operator == ":":
            operator += self._take()
        if operator in ("-", ":-", "+", ":+", "?", ":?"):
            return self._default(name, value, operator, start)
        if operator in ("#", "%"):
            return self._trimmed(value or "", operator)
        if operator == "/":
            return self._replaced(value or "")
        raise WordError(f"unsupported modifier ({operator}) in substitution", start)

    def _default(self, name: str, value: str | None, operator: str, start: int) -> str:
        word = self._operand("}")
        is_set = bool(value) if operator[0] == ":" else value is not None
        if operator[-1] == "+":
            return word if is_set else ""
        if operator[-1] == "-":
            return (value or "") if is_set else word
        if not is_set:
            raise WordError(f"{name}: {word or 'is not allowed to be unset'}", start)
        return value or ""

    def _trimmed(self, value: str, operator: str) -> str:
        greedy = self._peek() == operator
        if greedy:
            self._take()
        pattern = _pattern(self._operand("}", pattern=True), greedy=greedy)
        if operator == "#":
            match = re.match(pattern, value, re.DOTALL)
            return value[match.end() :] if match else value
        starts = range(len(value) + 1) if greedy else range(len(value), -1, -1)
        whole = re.compile(pattern, re.DOTALL)
        return next((value[:at] for at in starts if whole.fullmatch(value, at)), value)

    def _replaced(self, value: str) -> str:
        everywhere = self._peek() == "/"
        if everywhere:
            self._take()
        pattern = _pattern(self._operand("/", pattern=True), greedy=True)
        self._take()
        replacement = self._operand("}")
        count = 0 if everywhere else 1
        return re.sub(pattern, lambda _: replacement, value, count=count, flags=re.DOTALL)

    def _operand(self, stop: str, *, pattern: bool = False) -> str:
        """A word inside braces: expanded, never split here (its value is, by whoever asked).
        A pattern keeps its backslashes."""
        before = self._words, self._in_word, self._raw_escapes
        self._words, self._in_word, self._raw_escapes = [], False, pattern
        word = self.until(stop)
        self._words, self._in_word, self._raw_escapes = before
        if stop == "}":
            self._take()
        return word


def _pattern(text: str, *, greedy: bool) -> str:
    """A regular expression of a shell pattern: only `*`, `?` and the backslash are special."""
    result, chars = "", iter(text)
    for char in chars:
        if char == "\\":
            result += re.escape(next(chars, "\\"))
        elif char == "*":
            result += ".*" if greedy else ".*?"
        else:
            result += "." if char == "?" else re.escape(char)
    return result
