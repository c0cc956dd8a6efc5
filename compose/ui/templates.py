"""`--format`: table, json, or a template as Docker's commands take it.

Of Go's templates: fields (`{{.Names}}`, `{{.Config.Cmd}}`), `{{.}}`, and the functions below, with
arguments or behind a pipe. What else there is in Go is refused by name.
"""

from __future__ import annotations

import json
import re

from compose.ui.tables import format_table
from engine.errors import Problem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

_ACTION = re.compile(r"\{\{-?\s*(.*?)\s*-?\}\}", re.DOTALL)
_WORD = re.compile(r'"(?:[^"\\]|\\.)*"|`[^`]*`|\||[^\s|]+')
_ESCAPES = {r"\t": "\t", r"\n": "\n"}


class TemplateProblem(Problem):
    """A template that cannot be carried out."""

    code = "template"


def format_rows(template: str, titles: Mapping[str, str], rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows by `json` (one object a line), `table TEMPLATE` with titles, or a template for each.

    titles  of the fields, in a table
    """
    if template == "json":
        return "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    if not template.startswith("table "):
        return "\n".join(render(template, row) for row in rows)
    columns = _unescaped(template.removeprefix("table ")).split("\t")
    heads = [_ACTION.sub(lambda match: _title(match[1], titles), column) for column in columns]
    return format_table(heads, [[render(column, row) for column in columns] for row in rows])


def render(template: str, value: Any) -> str:
    """A template with the fields of `value`. Raises TemplateProblem."""
    return _ACTION.sub(lambda match: _shown(_evaluate(match[1], value)), _unescaped(template))


def _unescaped(template: str) -> str:
    for written, meant in _ESCAPES.items():
        template = template.replace(written, meant)
    return template


def _title(action: str, titles: Mapping[str, str]) -> str:
    name = action.split(".")[-1].strip()
    return titles.get(name, name.upper())


def _evaluate(action: str, value: Any) -> Any:
    result: list[Any] = []
    for stage in _stages(_WORD.findall(action)):
        head, *rest = stage
        function = _FUNCTIONS.get(head)
        if function is None:
            if len(stage) > 1:
                raise TemplateProblem(f"`{head}` is not a function of templates", hint=_KNOWN)
            result = [_operand(head, value)]
            continue
        try:
            result = [function(*(_operand(word, value) for word in rest), *result)]
        except (TypeError, ValueError, LookupError) as error:
            raise TemplateProblem(f"{{{{{action}}}}}: {error}") from None
    return result[0] if result else ""


def _stages(words: Sequence[str]) -> list[list[str]]:
    stages: list[list[str]] = [[]]
    for word in words:
        if word == "|":
            stages.append([])
        else:
            stages[-1].append(word)
    return [stage for stage in stages if stage]


def _operand(word: str, value: Any) -> Any:
    if word.startswith('"'):
        return json.loads(word)
    if word.startswith("`"):
        return word[1:-1]
    if word.isdecimal():
        return int(word)
    if not word.startswith("."):
        raise TemplateProblem(f"`{word}` is not known in templates", hint=_KNOWN)
    for name in filter(None, word.split(".")):
        if not isinstance(value, dict) or name not in value:
            known = ", ".join(value) if isinstance(value, dict) else "none"
            raise TemplateProblem(f"there is no field `{word}`", hint=f"there are: {known}")
        value = value[name]
    return value


def _shown(value: Any) -> str:
    """As Go prints it."""
    if isinstance(value, bool):
        return str(value).lower()
    if value is None:
        return "<nil>"
    if isinstance(value, list | tuple):
        return f"[{' '.join(map(_shown, value))}]"
    if isinstance(value, dict):
        return f"map[{' '.join(f'{key}:{_shown(one)}' for key, one in sorted(value.items()))}]"
    return str(value)


def _index(value: Any, *keys: Any) -> Any:
    for key in keys:
        value = value[key]
    return value


def _truncated(value: Any, length: int) -> str:
    return _shown(value)[:length]


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "json": lambda value: json.dumps(value, ensure_ascii=False),
    "upper": lambda value: _shown(value).upper(),
    "lower": lambda value: _shown(value).lower(),
    "title": lambda value: _shown(value).title(),
    "join": lambda value, between: between.join(map(_shown, value)),
    "split": lambda value, between: _shown(value).split(between),
    "len": len,
    "index": _index,
    "truncate": _truncated,
    "println": lambda *values: " ".join(map(_shown, values)) + "\n",
}
_KNOWN = f"there are fields, as .ID, and {', '.join(_FUNCTIONS)}"
