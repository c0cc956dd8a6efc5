"""Templates: text, `{{...}}`, and the blocks `range`, `if`, `else` and `end`.

Source: pkg.go.dev/text/template, "Actions".
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from compose.ui.templates.expressions import TemplateProblem, evaluate, is_true, shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    from compose.ui.templates.expressions import Scope

# `{{- ` takes the blanks before it along, ` -}}` those after it
_ACTIONS = re.compile(r"(?:\s*\{\{-(?=\s)|\{\{)(.*?)(?:(?<=\s)-\}\}\s*|\}\})", re.DOTALL)
_RANGE = re.compile(r"(?:(\$\w+)\s*(?:,\s*(\$\w+)\s*)?:=)?\s*(.+)", re.DOTALL)
_ESCAPES = {r"\t": "\t", r"\n": "\n"}


class _Block(NamedTuple):
    """What is between an action and its `end`. kind: text, show, if or range."""

    kind: str
    text: str
    body: tuple[_Block, ...] = ()
    otherwise: tuple[_Block, ...] = ()


def render(template: str, value: Any) -> str:
    """A template with the fields of `value`. Raises TemplateProblem."""
    parts = _ACTIONS.split(template)
    if any("{{" in text for text in parts[::2]):
        raise TemplateProblem(f"`{{{{` without `}}}}` in `{template}`")
    reader = _Reader(parts)
    blocks, end = reader.until_end()
    if end:
        raise TemplateProblem(f"`{{{{{end}}}}}` without `if` or `range`")
    return "".join(_rendered(blocks, {".": value, "$": value}))


class _Reader:
    def __init__(self, parts: Sequence[str]) -> None:
        """parts: text and actions in turn."""
        self._parts = list(enumerate(parts))

    def until_end(self) -> tuple[tuple[_Block, ...], str]:
        """Blocks up to `else` or `end`, and which it is; empty at the end of all."""
        found: list[_Block] = []
        while self._parts:
            number, text = self._parts.pop(0)
            word = text.split(None, 1)[0] if number % 2 and text.strip() else ""
            if not number % 2:
                found.append(_Block(kind="text", text=_unescaped(text)))
            elif word in ("end", "else"):
                return tuple(found), text.strip()
            elif word in ("if", "range"):
                found.append(self._block(word, text.split(None, 1)[1:]))
            elif not text.strip().startswith("/*"):
                found.append(_Block(kind="show", text=text))
        return tuple(found), ""

    def _block(self, kind: str, rest: Sequence[str]) -> _Block:
        body, end = self.until_end()
        otherwise: tuple[_Block, ...] = ()
        if end.startswith("else if "):
            otherwise = (self._block("if", [end.removeprefix("else if ")]),)
        elif end == "else":
            otherwise, end = self.until_end()
        if not end:
            raise TemplateProblem(f"`{{{{{kind}}}}}` without `end`")
        return _Block(kind=kind, text="".join(rest), body=body, otherwise=otherwise)


def _rendered(blocks: Sequence[_Block], scope: Scope) -> Iterator[str]:
    for block in blocks:
        if block.kind == "text":
            yield block.text
        elif block.kind == "show":
            yield shown(evaluate(block.text, scope))
        elif block.kind == "if":
            taken = is_true(evaluate(block.text, scope))
            yield from _rendered(block.body if taken else block.otherwise, scope)
        else:
            yield from _repeated(block, scope)


def _repeated(block: _Block, scope: Scope) -> Iterator[str]:
    match = _RANGE.fullmatch(block.text)
    first, second, expression = match.groups() if match else (None, None, block.text)
    value = evaluate(expression, scope)
    if not value:
        yield from _rendered(block.otherwise, scope)
        return
    if not isinstance(value, dict | list | tuple):
        raise TemplateProblem(f"range: {shown(value)} is no list")
    for key, one in sorted(value.items()) if isinstance(value, dict) else enumerate(value):
        inner = {**scope, ".": one}
        if first is not None:
            inner |= {first: key, second: one} if second else {first: one}
        yield from _rendered(block.body, inner)


def _unescaped(text: str) -> str:
    for written, meant in _ESCAPES.items():
        text = text.replace(written, meant)
    return text
