"""A project as boxes and arrows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compose.graph.drawing import Drawing, draw

if TYPE_CHECKING:
    from tests.compose.projects import Files

SHOP = """
services:
  web:
    image: nginx:1
    ports: ["8080:80", "9000-9010:90/udp", "443"]
    depends_on:
      api: {condition: service_healthy, restart: true}
      cache: {condition: service_started, required: false}
    networks: [front]
    volumes: ["./site:/html:ro"]
  api:
    build: ./api
    scale: 2
    depends_on: [db]
    networks: {front: , back: {ipv4_address: 10.9.0.7}}
  db: {image: postgres:16, networks: [back], volumes: ["data:/data", "/anonymous"]}
  cache: {image: redis, networks: [back]}
networks: {front: , back: {ipam: {config: [{subnet: 10.9.0.0/16}]}}}
volumes: {data: }
"""


def drawing(files: Files, text: str = SHOP) -> Drawing:
    return draw(files.load(text))


def test_every_box_comes_after_what_it_needs_of_other_services(files: Files) -> None:
    names = [box.name for box in drawing(files).boxes if box.kind == "service"]
    assert names == ["cache", "db", "api", "web"]


def test_boxes_say_what_they_are(files: Files) -> None:
    notes = {box.key: box.note for box in drawing(files).boxes}
    assert notes["service web"] == "8080→80, 9000-9010→90/udp, *→443"
    assert notes["image shop-api"] == "built from ./api"
    assert notes["network back"] == "10.9.0.0/16"
    assert {"replica api-1", "replica api-2", "volume data", "bind ./site"} <= notes.keys()
    assert "replica web-1" not in notes


def test_arrows_say_how_one_needs_the_other(files: Files) -> None:
    arrows = {(one.needing, one.needed): one for one in drawing(files).arrows}
    healthy = arrows["service web", "service api"]
    assert (healthy.label, healthy.optional) == ("healthy, restarts with it", False)
    assert arrows["service web", "service cache"].optional
    assert arrows["service web", "bind ./site"].label == "/html (ro)"
    assert arrows["service api", "network back"].label == "10.9.0.7"
    assert ("service api", "replica api-2") in arrows


def test_files_and_models_have_boxes(files: Files) -> None:
    drawn = drawing(
        files,
        """
        services: {web: {image: x, secrets: [s], configs: [{source: c, target: /c}], models: [m]}}
        secrets: {s: {file: ./s}}
        configs: {c: {content: text}}
        models: {m: {model: ai/small}}
        """,
    )
    arrows = {one.needed: one.label for one in drawn.arrows}
    assert arrows["secret s"] == "/run/secrets/s"
    assert arrows["config c"] == "/c"
    assert {box.note for box in drawn.boxes if box.kind == "model"} == {"ai/small"}


def test_every_arrow_is_between_boxes(files: Files) -> None:
    drawn = drawing(files)
    keys = {box.key for box in drawn.boxes}
    assert all({one.needing, one.needed} <= keys for one in drawn.arrows)


def test_what_is_implied_and_what_builds_start_from_is_drawn(files: Files) -> None:
    drawn = drawing(
        files,
        """
        services:
          web:
            build: {context: ., additional_contexts: {base: "service:base"}, secrets: [key]}
            links: [db]
            volumes: ["data:/a", "data:/b:ro"]
          base: {build: ./base, scale: 0}
          db: {image: d}
        volumes: {data: }
        secrets: {key: {file: ./key}}
        """,
    )
    arrows = {(one.needing, one.needed): one.label for one in drawn.arrows}
    assert arrows["service web", "service db"] == "started, restarts with it, by links"
    assert arrows["service web", "volume data"] == "/a, /b (ro)"
    assert arrows["image shop-web", "image shop-base"] == "built from"
    assert arrows["image shop-web", "secret key"] == "build"
    assert ("service base", "image shop-base") in arrows


def test_the_drawing_has_all_of_the_graph(files: Files) -> None:
    project = files.load(SHOP)
    graph, drawn = project.dependencies, draw(project)
    shown = [one for one in graph.edges if one.needing.kind != "replica"]
    hidden = [node for node in graph.nodes if node.kind == "replica" and node.name != "api"]
    assert len(drawn.boxes) == len(graph.nodes) - len(hidden)
    assert len(drawn.arrows) == len(shown) - len(hidden)
