"""A drawing as SVG."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from compose.ui.graph.colours import COLOURS
from engine.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from compose.graph.drawing import Drawing
    from compose.ui.graph.layout import Route, View

MARGIN, LINE = 24.0, 16.0
# Where on the last part of an arrow its label stands: those to one box below each other.
LABELS_AT = (0.75, 0.6, 0.45)
_STYLE = (
    "text{font:12px ui-monospace,monospace;text-anchor:middle;fill:#111827}"
    "text.note{font-size:10px;fill:#4b5563}"
    "text.label{font-size:10px;fill:#374151;paint-order:stroke;stroke:#fff;stroke-width:4px}"
    ".arrow{fill:none;stroke:#6b7280;stroke-width:1.2}"
)
_HEAD = (
    '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7"'
    ' markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z" fill="#6b7280"/></marker></defs>'
)


class LayoutMissing(Problem):
    """The library that places the boxes is not installed."""

    code = "graph-layout-missing"


def to_svg(drawing: Drawing) -> str:
    """A picture of its own, without scripts. Raises LayoutMissing."""
    try:
        from compose.ui.graph.layout import lay_out
    except ImportError:
        hint = "pip install 'buoy[graph]'; or --format dot, for Graphviz"
        raise LayoutMissing("SVG needs the library `grandalf`", hint=hint) from None
    views, routes = lay_out(drawing)
    reach = [x for route in routes for x, _ in route.points]
    width = max([*reach, *(view.xy[0] + view.w / 2 for view in views), 0.0]) + MARGIN
    height = max((view.xy[1] + view.h / 2 for view in views), default=0) + MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}"'
        f' viewBox="0 0 {width:.0f} {height:.0f}">',
        f"<title>{escape(drawing.name)}</title>",
        f"<style>{_STYLE}</style>",
        _HEAD,
        '<rect width="100%" height="100%" fill="#fff"/>',
        *(_path(route) for route in routes),
        *(part for view in views for part in _box(view)),
        *_labels(routes),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _box(view: View) -> Iterator[str]:
    box, (x, y) = view.box, view.xy
    fill, line = COLOURS[box.kind]
    radius = view.h / 2 if box.kind == "network" else 6 if box.kind == "service" else 2
    yield (
        f'<rect x="{x - view.width / 2:.1f}" y="{y - view.h / 2:.1f}" width="{view.width:.1f}"'
        f' height="{view.h:.1f}" rx="{radius:.1f}" fill="{fill}" stroke="{line}">'
        f"<title>{escape(box.key)}</title></rect>"
    )
    first = y + 4 - (LINE / 2 if box.note else 0)
    yield f'<text x="{x:.1f}" y="{first:.1f}">{escape(box.name)}</text>'
    if box.note:
        yield f'<text class="note" x="{x:.1f}" y="{first + LINE:.1f}">{escape(box.note)}</text>'


def _path(route: Route) -> str:
    """A curve that leaves and arrives downwards at each of its points."""
    (x, y), *_ = route.points
    curve = [f"M{x:.1f} {y:.1f}"]
    for (x0, y0), (x1, y1) in pairwise(route.points):
        middle = (y0 + y1) / 2
        curve.append(f"C{x0:.1f} {middle:.1f} {x1:.1f} {middle:.1f} {x1:.1f} {y1:.1f}")
    dashes = ' stroke-dasharray="5 4"' if route.arrow.optional else ""
    return f'<path class="arrow"{dashes} marker-end="url(#head)" d="{"".join(curve)}"/>'


def _labels(routes: list[Route]) -> Iterator[str]:
    met: Counter[str] = Counter()
    for route in routes:
        if route.arrow.label:
            at = LABELS_AT[met[route.arrow.needed] % len(LABELS_AT)]
            met[route.arrow.needed] += 1
            x, y = _along(route, at)
            text = escape(route.arrow.label)
            yield f'<text class="label" x="{x:.1f}" y="{y:.1f}">{text}</text>'


def _along(route: Route, at: float) -> tuple[float, float]:
    """The point at the parameter `at`, from 0 to 1, of the last curve of an arrow."""
    (x0, y0), (x1, y1) = route.points[-2:]
    across = at * at * (3 - 2 * at)
    down = 1.5 * at * (1 - at) + at**3
    return x0 + (x1 - x0) * across, y0 + (y1 - y0) * down
