"""Places for boxes and ways for arrows: in layers, what needs above what is needed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from grandalf.graphs import Edge, Graph, Vertex
from grandalf.layouts import SugiyamaLayout
from grandalf.routing import route_with_lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from compose.graph.drawing import Arrow, Box, Drawing

Point = tuple[float, float]

CHARACTER, LINE = 7.2, 16.0  # of the text, in pixels
SMALL = 10 / 12  # of notes and labels, beside names
PADDING, GAP, LAYER_GAP, MARGIN = 14.0, 28.0, 72.0, 24.0


class View:
    """A box, and where the middle of it is.

    width   of the box
    w, h    of the room that it and the labels of arrows to it take
    """

    def __init__(self, box: Box, labels: Iterable[str]) -> None:
        self.box = box
        longest = max(len(box.name), len(box.note) * SMALL)
        self.width = longest * CHARACTER + 2 * PADDING
        label = max(map(len, labels), default=0) * SMALL * CHARACTER
        self.w = max(self.width, label)
        self.h = LINE * (2 if box.note else 1) + PADDING
        self.xy: Point = (0.0, 0.0)


class Route:
    """The points that an arrow is led through, around the boxes between its ends."""

    def __init__(self, arrow: Arrow) -> None:
        self.arrow = arrow
        self.points: list[Point] = []

    def setpath(self, points: Iterable[Point]) -> None:
        self.points = [(x, y) for x, y in points]

    def end_at(self, needing: View, needed: View) -> None:
        """Begin at the lower edge of one box and end at the upper edge of the other."""
        inner = self.points[1:-1]
        toward = inner[0] if inner else needed.xy
        start = _beside(needing, toward[0]), needing.xy[1] + needing.h / 2
        come_from = inner[-1] if inner else start
        end = _beside(needed, come_from[0]), needed.xy[1] - needed.h / 2
        self.points = [start, *inner, end]


def _beside(view: View, x: float) -> float:
    """The place on a horizontal edge of a box that is nearest to `x`, corners left free."""
    reach = max(0.0, view.width / 2 - PADDING)
    return min(max(x, view.xy[0] - reach), view.xy[0] + reach)


class _Layers(SugiyamaLayout):  # type: ignore[misc]
    """The library's layout, without the overlaps that boxes of unlike widths come to."""

    def setxy(self) -> None:
        super().setxy()
        for layer in self.layers:
            end = float("-inf")
            for view in (vertex.view for vertex in layer):
                x = max(view.xy[0], end + view.w / 2)
                view.xy = (x, view.xy[1])
                end = x + view.w / 2 + GAP


def lay_out(drawing: Drawing) -> tuple[list[View], list[Route]]:
    """The boxes and arrows of a drawing with their places; none is left of or above (0, 0)."""
    vertices = {box.key: Vertex(box) for box in drawing.boxes}
    for key, vertex in vertices.items():
        labels = (arrow.label for arrow in drawing.arrows if arrow.needed == key)
        vertex.view = View(vertex.data, labels)
    routes = [Route(arrow) for arrow in drawing.arrows]
    edges = [_edge(vertices, route) for route in routes]
    left = MARGIN
    for component in Graph(list(vertices.values()), edges).C:
        left = _place(component, left)
    for route in routes:
        route.end_at(vertices[route.arrow.needing].view, vertices[route.arrow.needed].view)
    return [vertex.view for vertex in vertices.values()], routes


def _edge(vertices: Mapping[str, Any], route: Route) -> Any:
    edge = Edge(vertices[route.arrow.needing], vertices[route.arrow.needed])
    edge.view = route
    return edge


def _place(component: Any, left: float) -> float:
    """Lay out boxes that hang together, from `left` on; where the next ones may begin."""
    layout = _Layers(component)
    layout.xspace, layout.yspace = GAP, LAYER_GAP
    layout.route_edge = route_with_lines
    layout.init_all()
    layout.draw()
    views = [vertex.view for vertex in component.sV]
    routes = [edge.view for edge in component.sE]
    bends = [x for route in routes for x, _ in route.points]
    x = left - min(*bends, *(view.xy[0] - view.w / 2 for view in views), float("inf"))
    y = MARGIN - min(view.xy[1] - view.h / 2 for view in views)
    for view in views:
        view.xy = (view.xy[0] + x, view.xy[1] + y)
    for route in routes:
        route.setpath((px + x, py + y) for px, py in route.points)
    ends = [x + bend for bend in bends]
    return float(max(*ends, *(view.xy[0] + view.w / 2 for view in views), left)) + GAP
