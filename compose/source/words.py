"""Splitting the string form of a command into words (compose-file.md 4.3): no shell takes part."""

from __future__ import annotations

_ENDS = frozenset(";&|<>")
LONGEST = 200  # characters of a text that is quoted in a message
_ESCAPED = {"n": "\n", "t": "\t"}


def split_words(text: str) -> tuple[list[str], str]:
    """The words of a command line, and what of it was dropped.

    An unquoted `;`, `&`, `|`, `<` or `>` ends the command, as in the reference: the rest is the
    second value. `$(...)` and backquotes hold words together and are kept as they are. Raises
    ValueError for an unclosed quote and for a bare parenthesis.
    """
    splitter = _Splitter(text)
    return splitter.split(), splitter.dropped


def shortened(text: str) -> str:
    """A text as messages quote it."""
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


class _Splitter:
    def __init__(self, text: str) -> None:
        self._text = text
        self._words: list[str] = []
        self._word: list[str] | None = None  # None between words
        self._within = ""  # the closing character that is waited for
        self.dropped = ""

    def split(self) -> list[str]:
        index = 0
        while index < len(self._text) and not self.dropped:
            index += self._step(index)
        if self._within:
            raise ValueError(f"`{self._within}` is missing at the end of `{shortened(self._text)}`")
        self._end_word()
        return self._words

    def _step(self, index: int) -> int:
        """Take what stands at `index`; returns the number of characters taken."""
        character = self._text[index]
        if character == "\\" and self._within != "'":
            escaped = self._text[index + 1 : index + 2]
            self._add(_ESCAPED.get(escaped, escaped))
            return 2
        if self._within:
            self._inside(character)
        elif character.isspace():
            self._end_word()
        elif character in _ENDS:
            self._end(index)
        else:
            self._outside(character)
        return 1

    def _inside(self, character: str) -> None:
        closes = character == self._within
        if not closes or character in "`)":
            self._add(character)
        if closes:
            self._within = ""

    def _outside(self, character: str) -> None:
        if character in "'\"`":
            self._within = character
            self._add("`" if character == "`" else "")
        elif character == "(":
            if not self._word or not self._word[-1].endswith("$"):
                raise ValueError(f"`(` needs quotes in `{shortened(self._text)}`")
            self._within = ")"
            self._add(character)
        else:
            self._add(character)

    def _end(self, index: int) -> None:
        self.dropped = self._text[index:]
        if self._text[index] == ">" and "".join(self._word or ()).isdecimal():
            self._word = None  # the 2 of `2>&1`

    def _add(self, text: str) -> None:
        if self._word is None:
            self._word = []
        self._word.append(text)

    def _end_word(self) -> None:
        if self._word is not None:
            self._words.append("".join(self._word))
        self._word = None
