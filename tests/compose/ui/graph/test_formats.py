"""What `buoy graph` prints."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from itertools import combinations
from typing import TYPE_CHECKING

import pytest

from compose.graph.drawing import Arrow, Box, Drawing, draw
from compose.ui.graph.dot import to_dot
from compose.ui.graph.layout import lay_out
from compose.ui.graph.mermaid import to_mermaid
from compose.ui.graph.svg import to_svg
from compose.ui.graph.text import to_text
from tests.compose.graph.test_drawing import SHOP

if TYPE_CHECKING:
    from tests.compose.projects import Files

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def shop(files: Files) -> Drawing:
    return draw(files.load(SHOP))


def test_text_is_a_tree_and_lists_of_who_uses_what(shop: Drawing) -> None:
    assert to_text(shop) == (
        "web  8080→80, 9000-9010→90/udp, *→443\n"
        "├─ api \N{MULTIPLICATION SIGN}2  (when healthy, restarts with it)\n"
        "│  └─ db  (when started)\n"
        "└─ cache  (when started, or without it)\n"
        "\n"
        "images\n"
        "  nginx:1                     web\n"
        "  postgres:16                 db\n"
        "  redis                       cache\n"
        "  shop-api  built from ./api  api\n"
        "\n"
        "networks\n"
        "  back  10.9.0.0/16  api 10.9.0.7, cache, db\n"
        "  front              api, web\n"
        "\n"
        "volumes\n"
        "  data  db /data\n"
        "\n"
        "directories and files\n"
        "  ./site  web /html (ro)\n"
    )


def test_a_service_that_several_need_is_unfolded_once(files: Files) -> None:
    text = to_text(
        draw(
            files.load(
                "services: {a: {image: x, depends_on: [b, c]}, b: {image: x, depends_on: [c]},"
                " c: {image: x, depends_on: [d]}, d: {image: x}}"
            )
        )
    )
    tree = text.partition("\n\n")[0]
    assert tree == (
        "a\n"
        "├─ b  (when started)\n"
        "│  └─ c  (when started)\n"
        "│     └─ d  (when started)\n"
        "└─ c  (when started) …"
    )


def test_mermaid_has_a_node_for_each_box_and_a_line_for_each_arrow(shop: Drawing) -> None:
    first, *lines = to_mermaid(shop).splitlines()
    assert first == "flowchart TD"
    assert len(lines) == len(shop.boxes) + len(shop.arrows)
    assert sum("-.->|" in line for line in lines) == 1


def test_words_of_the_user_cannot_leave_their_quotes() -> None:
    box = Box(kind="service", name='a"]b<c\\', note="x&y")
    drawing = Drawing(
        name='p"', boxes=(box,), arrows=(Arrow(needing=box.key, needed=box.key, label='"<'),)
    )
    assert '"a#quot;]b<c' in to_mermaid(drawing)
    assert r'"service a\"]b<c\\"' in to_dot(drawing)
    texts = [element.text for element in ET.fromstring(to_svg(drawing)).iter(f"{SVG}text")]
    assert texts == ['a"]b<c\\', "x&y", '"<']


def test_dot_is_what_graphviz_reads(shop: Drawing) -> None:
    text = to_dot(shop)
    assert text.startswith('digraph "shop" {\n')
    assert '"service web" -> "service cache" [label="started" style=dashed];' in text
    assert text.count(" -> ") == len(shop.arrows)


def test_svg_shows_every_box_and_arrow(shop: Drawing) -> None:
    root = ET.fromstring(to_svg(shop))
    titles = {element.text for element in root.iter(f"{SVG}title")}
    assert titles == {"shop", *(box.key for box in shop.boxes)}
    paths = [path for path in root.iter(f"{SVG}path") if path.get("class") == "arrow"]
    assert len(paths) == len(shop.arrows)
    numbers = [float(text) for path in paths for text in re.findall(r"[\d.]+", path.get("d") or "")]
    assert max(numbers) <= float(root.get("width") or 0)


def test_boxes_do_not_lie_on_each_other(shop: Drawing) -> None:
    views, _ = lay_out(shop)
    for one, other in combinations(views, 2):
        across = abs(one.xy[0] - other.xy[0]) - (one.width + other.width) / 2
        down = abs(one.xy[1] - other.xy[1]) - (one.h + other.h) / 2
        assert max(across, down) > 0, (one.box, other.box)


def test_what_needs_stands_above(shop: Drawing) -> None:
    views, routes = lay_out(shop)
    heights = {view.box.key: view.xy[1] for view in views}
    assert all(heights[route.arrow.needing] < heights[route.arrow.needed] for route in routes)


def test_nothing_is_drawn_of_nothing() -> None:
    empty = Drawing(name="p", boxes=(), arrows=())
    assert to_text(empty) == "\n"
    assert "<svg" in to_svg(empty)
