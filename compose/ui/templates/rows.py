"""Rows by `--format`: json, or a template for each, with titles if wanted."""

from __future__ import annotations

import re

from compose.ui.tables import format_table
from compose.ui.templates.blocks import render
from compose.ui.templates.expressions import as_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

_FIELD = re.compile(r"\{\{.*?\}\}", re.DOTALL)


def format_rows(template: str, titles: Mapping[str, str], rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows by `json` (one object a line), `table TEMPLATE` with titles, or a template for each.

    titles  of the fields, in a table
    """
    if template == "json":
        return "\n".join(map(as_json, rows))
    if not template.startswith("table "):
        return "\n".join(render(template, row) for row in rows)
    columns = template.removeprefix("table ").replace(r"\t", "\t").split("\t")
    heads = [_FIELD.sub(lambda match: _title(match[0], titles), column) for column in columns]
    return format_table(heads, [[render(column, row) for column in columns] for row in rows])


def _title(action: str, titles: Mapping[str, str]) -> str:
    name = action.strip("{}- ").split(".")[-1].strip()
    return titles.get(name, name.upper())
