"""A drawing in the language of Graphviz."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compose.ui.graph.colours import COLOURS

if TYPE_CHECKING:
    from compose.graph.drawing import Arrow, Box, Drawing

_SHAPES = {
    "service": "box",
    "replica": "box",
    "image": "component",
    "network": "ellipse",
    "volume": "cylinder",
    "bind": "folder",
    "config": "note",
    "secret": "note",
    "model": "hexagon",
    "container": "box",
    "host": "box3d",
    "outside": "plaintext",
}


def to_dot(drawing: Drawing) -> str:
    """A directed graph."""
    lines = [
        f"digraph {_quoted(drawing.name)} {{",
        '  node [style="filled,rounded" fontname="sans-serif" fontsize=11];',
        '  edge [fontname="sans-serif" fontsize=9];',
        *(f"  {_node(box)};" for box in drawing.boxes),
        *(f"  {_edge(arrow)};" for arrow in drawing.arrows),
        "}",
    ]
    return "\n".join(lines) + "\n"


def _node(box: Box) -> str:
    label = f"{box.name}\n{box.note}" if box.note else box.name
    fill, line = COLOURS[box.kind]
    style = "" if box.kind == "service" else ' style="filled"'
    return (
        f"{_quoted(box.key)} [label={_quoted(label)} shape={_SHAPES[box.kind]}"
        f' fillcolor="{fill}" color="{line}"{style}]'
    )


def _edge(arrow: Arrow) -> str:
    label = f" label={_quoted(arrow.label)}" if arrow.label else ""
    style = " style=dashed" if arrow.optional else ""
    given = f" [{(label + style).strip()}]" if label or style else ""
    return f"{_quoted(arrow.needing)} -> {_quoted(arrow.needed)}{given}"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
