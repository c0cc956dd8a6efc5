"""What stands in `{{...}}`: fields, words, functions, and pipes of them.

Source: pkg.go.dev/text/template, "Pipelines"; docker/cli templates.
"""

from __future__ import annotations

import json
import re

from engine.errors import Problem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    Scope = Mapping[str, Any]  # `.`, `$` and the variables of `range`

_WORD = re.compile(r'"(?:[^"\\]|\\.)*"|`[^`]*`|[|()]|[^\s|()]+')


class TemplateProblem(Problem):
    """A template that cannot be carried out."""

    code = "template"


def evaluate(expression: str, scope: Scope) -> Any:
    """The value of `json .Config | upper`. Raises TemplateProblem."""
    words = _WORD.findall(expression)
    try:
        value = _pipeline(words, scope)
    except (TypeError, ValueError, LookupError) as error:
        raise TemplateProblem(f"{{{{{expression}}}}}: {error}") from None
    if words:
        raise TemplateProblem(f"{{{{{expression}}}}}: `)` without `(`")
    return value


def shown(value: Any) -> str:
    """As Go prints it."""
    if isinstance(value, bool):
        return str(value).lower()
    if value is None:
        return "<nil>"
    if isinstance(value, list | tuple):
        return f"[{' '.join(map(shown, value))}]"
    if isinstance(value, dict):
        return f"map[{' '.join(f'{key}:{shown(one)}' for key, one in sorted(value.items()))}]"
    return str(value)


def as_json(value: Any) -> str:
    """As Go writes a map: in the order of its keys, and without blanks."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def is_true(value: Any) -> bool:
    """Whether `if` takes it: it is neither empty, zero nor absent."""
    return bool(value)


def _pipeline(words: list[str], scope: Scope) -> Any:
    """The words up to a `)` that is not ours, taken from `words`."""
    result: list[Any] = []
    while True:
        result = [_command(words, scope, result)]
        if not words or words[0] == ")":
            return result[0]
        words.pop(0)  # a pipe


def _command(words: list[str], scope: Scope, piped: list[Any]) -> Any:
    if not words or words[0] in ("|", ")"):
        raise TemplateProblem("something is missing in a template", hint=_KNOWN)
    function = _FUNCTIONS.get(words[0])
    head = words.pop(0) if function else words[0]
    given = []
    while words and words[0] not in ("|", ")"):
        given.append(_operand(words, scope))
    if function is not None:
        return function(*given, *piped)
    if len(given) > 1 or piped:
        raise TemplateProblem(f"`{head}` is not a function of templates", hint=_KNOWN)
    return given[0]


def _operand(words: list[str], scope: Scope) -> Any:
    word = words.pop(0)
    if word == "(":
        value = _pipeline(words, scope)
        if not words:
            raise TemplateProblem("`(` without `)` in a template")
        words.pop(0)
        return value
    if word.startswith('"'):
        return json.loads(word)
    if word.startswith("`"):
        return word[1:-1]
    if word in ("true", "false"):
        return word == "true"
    if word.lstrip("-").isdecimal():
        return int(word)
    return _field(word, scope)


def _field(word: str, scope: Scope) -> Any:
    name, _, path = word.partition(".")
    if (name or ".") not in scope:
        raise TemplateProblem(f"`{word}` is not known in templates", hint=_KNOWN)
    value = scope[name or "."]
    for depth, part in enumerate(filter(None, path.split("."))):
        if isinstance(value, dict) and (depth or value is not scope["$"]):
            value = value.get(part)  # what an image does not say
        elif isinstance(value, dict) and part in value:
            value = value[part]
        elif value is not None:
            known = ", ".join(value) if isinstance(value, dict) else "none"
            raise TemplateProblem(f"there is no field `{word}`", hint=f"there are: {known}")
    return value


def _index(value: Any, *keys: Any) -> Any:
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else value[key]
    return value


def _listed(value: Any) -> list[str]:
    return list(map(shown, value or ()))


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "json": as_json,
    "upper": lambda value: shown(value).upper(),
    "lower": lambda value: shown(value).lower(),
    "title": lambda value: shown(value).title(),
    "join": lambda value, between: str.join(between, _listed(value)),
    "split": lambda value, between: shown(value).split(between),
    "len": lambda value: len(value or ()),
    "index": _index,
    "truncate": lambda value, length: shown(value)[:length],
    "print": lambda *values: "".join(map(shown, values)),
    "println": lambda *values: " ".join(map(shown, values)) + "\n",
    "eq": lambda value, *others: value in others,
    "ne": lambda value, other: value != other,
    "not": lambda value: not value,
    "and": lambda *values: next((value for value in values if not value), values[-1]),
    "or": lambda *values: next((value for value in values if value), values[-1]),
}
_KNOWN = f"there are fields, as .ID, range, if, and {', '.join(_FUNCTIONS)}"
