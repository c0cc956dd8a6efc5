"""Which paths of a build context are excluded: .dockerignore and --exclude (engine.md D6.15).

Standard library alone: the copying child imports this.
"""

from __future__ import annotations

import posixpath
import re

from engine.build.patterns import PatternError, translate

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


class IgnoreError(ValueError):
    """A pattern that cannot be read; `number` is its line."""

    def __init__(self, message: str, number: int) -> None:
        super().__init__(message)
        self.number = number


class _Rule:
    __slots__ = ("expression", "keeps", "literal", "matches", "number", "text")

    def __init__(self, text: str, number: int) -> None:
        self.text, self.number = text, number
        self.keeps = text.startswith("!")
        pattern = _clean_pattern(text[1:].strip() if self.keeps else text)
        try:
            self.expression = translate(pattern, deep=True)
        except PatternError as error:
            raise IgnoreError(f"invalid pattern `{text}`: {error}", number) from None
        self.matches = re.compile(self.expression, re.DOTALL).fullmatch
        self.literal = re.split(r"[*?\[\\]", pattern)[0]


class Verdict:
    """What the rules say of one path: excluded or not, the rule that decided, and which rules
    matched (they hold for all below it)."""

    __slots__ = ("excluded", "matched", "rule")

    def __init__(self, excluded: bool, matched: frozenset[int], rule: int | None) -> None:
        self.excluded, self.matched, self.rule = excluded, matched, rule


_NOTHING = Verdict(False, frozenset(), None)


class Ignore:
    """The patterns of one .dockerignore, in order: the last one that matches decides."""

    __slots__ = ("_any", "_keeping", "_rules")

    def __init__(self, patterns: Sequence[tuple[str, int]]) -> None:
        self._rules = [_Rule(text, number) for text, number in patterns]
        self._keeping = [rule for rule in self._rules if rule.keeps]
        # One expression for all: most paths match none, and that must be quick to find out.
        every = "|".join(f"(?:{rule.expression})" for rule in self._rules)
        self._any = re.compile(every or r"(?!)", re.DOTALL).fullmatch

    def __bool__(self) -> bool:
        return bool(self._rules)

    @property
    def patterns(self) -> list[tuple[str, int]]:
        """The patterns as written, with their lines."""
        return [(rule.text, rule.number) for rule in self._rules]

    def judge(self, path: str, above: Verdict | None = None) -> Verdict:
        """`path` is relative to the context; `above` the verdict on its directory."""
        above = _NOTHING if above is None else above
        if self._any(path) is None:
            return above
        own = {n for n, rule in enumerate(self._rules) if rule.matches(path)}
        matched = above.matched | own
        last = max(matched)
        return Verdict(not self._rules[last].keeps, matched, last)

    def excludes(self, path: str) -> bool:
        """Whether a path is left out, judged with all its directories."""
        return self.verdict(path).excluded

    def verdict(self, path: str) -> Verdict:
        """The verdict on a path, its directories considered."""
        verdict, done = _NOTHING, ""
        for part in path.split("/"):
            done = f"{done}/{part}" if done else part
            verdict = self.judge(done, verdict)
        return verdict

    def reason(self, verdict: Verdict) -> tuple[str, int] | None:
        """The pattern that decided and its line."""
        if verdict.rule is None:
            return None
        rule = self._rules[verdict.rule]
        return rule.text, rule.number

    def may_keep_below(self, directory: str) -> bool:
        """Whether a `!pattern` could bring back something inside an excluded directory."""
        inside = f"{directory}/"
        return any(
            rule.literal.startswith(inside) or inside.startswith(rule.literal)
            for rule in self._keeping
        )


def parse_ignore(text: str) -> Ignore:
    """The rules of a .dockerignore file. Raises IgnoreError with the line."""
    patterns = []
    for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), 1):
        if line.startswith("#"):
            continue
        pattern = line.strip()
        if _clean_pattern(pattern.removeprefix("!").strip()) != ".":
            patterns.append((pattern, number))
        elif pattern == "!":
            raise IgnoreError("illegal exclusion pattern: `!`", number)
    return Ignore(patterns)


def _clean_pattern(text: str) -> str:
    """The same of a pattern: one that begins with `..` stays, and matches nothing."""
    return posixpath.normpath(text).lstrip("/") or "/"


def clean(path: str) -> str:
    """A path as Go's filepath.Clean has it, without a leading `/` and clipped at the top."""
    return posixpath.normpath(f"/{path}").lstrip("/") or "."
