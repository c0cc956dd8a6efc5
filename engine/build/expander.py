"""Expansion of one instruction's words, with errors that say where."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.build.words import Lexer, WordError
from engine.errors import BuildProblem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.build.instructions import Instruction


class Expander:
    """Expands the words of one instruction with the values from before it."""

    def __init__(self, instruction: Instruction, variables: Mapping[str, str], escape: str) -> None:
        self._instruction, self._variables = instruction, variables
        self._lexer = Lexer(variables, escape)

    def word(self, text: str) -> str:
        """One text, blanks and all. Raises BuildProblem, located in the word."""
        try:
            return self._lexer.word(text)
        except WordError as error:
            raise self._problem(text, error) from None

    def words(self, text: str) -> list[str]:
        """The same, split at blanks."""
        try:
            return self._lexer.words(text)
        except WordError as error:
            raise self._problem(text, error) from None

    def body(self, text: str) -> str:
        """The content of a heredoc: quotes stay as they are, and the escape character is the
        backslash in every file."""
        try:
            return Lexer(self._variables, quotes=False).word(text)
        except WordError as error:
            where = self._instruction.where
            raise BuildProblem(
                f"in a heredoc: {error}",
                where=where,
                hint="<<'NAME' keeps all of it as it is",
                code="dockerfile-expansion",
            ) from None

    def _problem(self, text: str, error: WordError) -> BuildProblem:
        start = max(self._instruction.line.text.find(text), 0)
        where = self._instruction.locate(start + error.offset)
        return BuildProblem(str(error), where=where, code="dockerfile-expansion")
