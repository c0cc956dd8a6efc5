"""A drawing as Mermaid, which code hosts and editors show as a diagram."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from compose.graph.drawing import Arrow, Box, Drawing

# Source: Mermaid, "Flowcharts - Basic Syntax", node shapes.
_SHAPES = {
    "service": ("[", "]"),
    "replica": ("(", ")"),
    "image": ("[[", "]]"),
    "network": ("([", "])"),
    "volume": ("[(", ")]"),
    "bind": ("[/", "/]"),
    "config": (">", "]"),
    "secret": (">", "]"),
    "model": ("{{", "}}"),
    "container": ("[", "]"),
    "host": ("[[", "]]"),
    "outside": ("((", "))"),
}


def to_mermaid(drawing: Drawing) -> str:
    """A flowchart."""
    numbers = {box.key: f"n{number}" for number, box in enumerate(drawing.boxes)}
    lines = ["flowchart TD"]
    lines += [f"  {numbers[box.key]}{_shape(box)}:::{box.kind}" for box in drawing.boxes]
    lines += [
        f"  {numbers[arrow.needing]} {_arrow(arrow)} {numbers[arrow.needed]}"
        for arrow in drawing.arrows
    ]
    return "\n".join(lines) + "\n"


def _shape(box: Box) -> str:
    begin, end = _SHAPES[box.kind]
    text = _quoted(f"{box.name}<br>{box.note}" if box.note else box.name)
    return f"{begin}{text}{end}"


def _arrow(arrow: Arrow) -> str:
    line = "-.->" if arrow.optional else "-->"
    return f"{line}|{_quoted(arrow.label)}|" if arrow.label else line


def _quoted(text: str) -> str:
    escaped = text.replace("#", "#35;").replace('"', "#quot;")
    return f'"{escaped}"'
