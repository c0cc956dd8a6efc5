"""The graph of a project: order, cycles, names that lead nowhere (compose-file.md 16, 20.3)."""

from __future__ import annotations

import itertools
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from compose.errors import DependencyCycle
from compose.graph.dependencies import order
from compose.model import Dependency, Node, Project, Service

if TYPE_CHECKING:
    from pathlib import Path

    from tests.compose.projects import Files


def graph_of(needs: dict[str, list[str]]) -> Project:
    services = {
        name: Service(
            name=name, image_name="x", depends_on={other: Dependency() for other in others}
        )
        for name, others in needs.items()
    }
    return Project(name="p", directory="/p", services=services)


def test_every_node_comes_after_all_that_it_needs(files: Files) -> None:
    graph = files.load(
        """
        services:
          web: {image: w, depends_on: [db], scale: 2, networks: [front], volumes: ["data:/x"]}
          db: {image: d, networks: [front]}
        networks: {front: }
        volumes: {data: }
        """
    ).dependencies
    places = {node: place for place, node in enumerate(graph.nodes)}
    assert all(places[edge.needed] < places[edge.needing] for edge in graph.edges)
    assert [str(node) for node in graph.nodes] == [
        "network front",
        "volume data",
        "image d",
        "image w",
        "replica db-1",
        "service db",
        "replica web-1",
        "replica web-2",
        "service web",
    ]


def test_edges_carry_their_condition(files: Files) -> None:
    graph = files.load(
        """
        services:
          web:
            image: x
            depends_on: {db: {condition: service_healthy, restart: true, required: false}}
          db: {image: x}
        """
    ).dependencies
    web, db = Node(kind="service", name="web"), Node(kind="service", name="db")
    (edge,) = (edge for edge in graph.needs(web) if edge.needed == db)
    assert (edge.condition, edge.restart, edge.required) == ("service_healthy", True, False)
    assert {edge.needing for edge in graph.needed_by(db)} == {
        web,
        Node(kind="replica", name="web", number=1),
    }


def test_a_project_without_dependencies_is_ordered_by_name(files: Files) -> None:
    graph = files.load("services: {b: {image: x}, a: {image: x}}").dependencies
    assert graph.services() == ("a", "b")


def test_a_cycle_is_named_with_the_lines_of_its_steps(files: Files) -> None:
    problem = files.problem(
        """
        services:
          a: {image: x, depends_on: [b]}
          b: {image: x, links: [c]}
          c:
            image: x
            depends_on:
              a: {condition: service_started}
          d: {image: x, depends_on: [a]}
        """
    )
    assert problem.code == "dependency-cycle"
    assert problem.what == "services depend on each other in a circle: a -> b -> c -> a"
    assert problem.where == "compose.yaml:2:30"
    assert problem.hint == (
        "a needs b at compose.yaml:2:30; b needs c at compose.yaml:3:17; "
        "c needs a at compose.yaml:7:7"
    )


def test_every_cycle_is_reported_also_of_a_service_on_itself(files: Files) -> None:
    problems = files.problems(
        "services: {a: {image: x, depends_on: [a]}, b: {image: x, depends_on: [c]}, "
        "c: {image: x, depends_on: [b]}}"
    )
    assert [problem.what.partition(": ")[2] for problem in problems] == ["a -> a", "b -> c -> b"]


def test_an_undefined_dependency_is_named_with_the_nearest(files: Files) -> None:
    problem = files.problem(
        "services: {web: {image: x, depends_on: [databse]}, database: {image: x}}"
    )
    assert problem.code == "unknown-service"
    assert problem.what == "service `web` depends on `databse`, which is not defined"
    assert problem.where == "compose.yaml:1:41"
    assert problem.hint == "did you mean `database`?"


def test_an_undefined_dependency_is_an_error_even_when_not_required(files: Files) -> None:
    text = (
        "services: {web: {image: x, depends_on: "
        "{db: {condition: service_started, required: false}}}}"
    )
    assert files.problem(text).code == "unknown-service"


def test_a_link_to_nothing_is_an_error(files: Files) -> None:
    problem = files.problem("services: {web: {image: x, links: ['db:x']}}")
    assert problem.what == "service `web` names `db` in `links`, which is not defined"


needs = st.integers(1, 7).flatmap(
    lambda count: st.lists(
        st.lists(st.integers(0, count - 1), max_size=3, unique=True),
        min_size=count,
        max_size=count,
    )
)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(needs)
def test_graphs_without_circles_are_ordered_and_others_name_one(lists: list[list[int]]) -> None:
    wanted = {f"s{n}": [f"s{other}" for other in others] for n, others in enumerate(lists)}
    try:
        services = order(graph_of(wanted)).services()
    except (DependencyCycle, ExceptionGroup) as error:
        problems = error.exceptions if isinstance(error, ExceptionGroup) else [error]
        for problem in problems:
            names = str(problem).rpartition(": ")[2].split(" -> ")
            assert names[0] == names[-1]
            assert all(after in wanted[name] for name, after in itertools.pairwise(names))
        return
    for name, others in wanted.items():
        assert all(services.index(other) < services.index(name) for other in others)


def test_the_order_does_not_depend_on_the_order_of_the_file() -> None:
    needs_ = {"a": ["c"], "b": [], "c": [], "d": ["a", "b"]}
    reversed_ = dict(reversed(list(needs_.items())))
    assert order(graph_of(needs_)) == order(graph_of(reversed_))


@pytest.mark.parametrize("scale", [0, 3])
def test_replicas_are_as_many_as_the_scale(files: Files, scale: int) -> None:
    graph = files.load(f"services: {{web: {{image: x, scale: {scale}}}}}").dependencies
    assert sum(node.kind == "replica" for node in graph.nodes) == scale


def test_configs_secrets_and_models_are_needed_by_replicas(files: Files) -> None:
    graph = files.load(
        """
        services: {web: {image: x, scale: 2, configs: [c], secrets: [s], models: [m]}}
        configs: {c: {content: c}, unused: {content: u}}
        secrets: {s: {file: s}}
        models: {m: {model: ai/m}}
        """
    ).dependencies
    replica = Node(kind="replica", name="web", number=2)
    needed = {str(edge.needed) for edge in graph.needs(replica)}
    assert needed == {"network default", "image x", "config c", "secret s", "model m"}
    assert Node(kind="config", name="unused") not in graph.nodes


def test_mounts_of_the_host_and_of_images_are_needed(files: Files) -> None:
    graph = files.load(
        """
        services:
          web:
            image: w
            volumes: ["./a:/a", "./a:/b", {type: image, source: db, target: /c}, "/anonymous"]
          db: {image: d}
        """
    ).dependencies
    needed = [str(edge.needed) for edge in graph.needs(Node(kind="service", name="web"))]
    bind = f"bind {files.directory}/a"
    assert needed == ["network default", bind, "image d", "image w", "replica web-1"]


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("depends_on", "depends_on: [db]"),
        ("links", "links: ['db:base']"),
        ("volumes_from", "volumes_from: ['db:ro']"),
        ("network_mode", "network_mode: 'service:db'"),
        ("ipc", "ipc: 'service:db'"),
        ("pid", "pid: 'service:db'"),
    ],
)
def test_an_edge_names_the_key_that_says_it(files: Files, key: str, text: str) -> None:
    graph = files.load(f"services: {{web: {{image: x, {text}}}, db: {{image: x}}}}").dependencies
    db = Node(kind="service", name="db")
    assert [(str(edge.needing), edge.key) for edge in graph.needed_by(db)] == [
        ("replica web-1", key),
        ("service web", key),
    ]
    assert graph.services() == ("db", "web")


@pytest.mark.parametrize(
    "text", ["links: [{}]", "volumes_from: [{}]", "network_mode: 'service:{}'", "pid: 'service:{}'"]
)
def test_a_circle_through_what_is_implied_is_found(files: Files, text: str) -> None:
    problem = files.problem(
        f"services: {{a: {{image: x, {text.format('b')}}}, b: {{image: x, depends_on: [a]}}}}"
    )
    assert problem.what == "services depend on each other in a circle: a -> b -> a"
    assert problem.where is not None
    assert problem.where.startswith("compose.yaml:1:")


def test_an_image_comes_after_those_that_its_build_starts_from(files: Files) -> None:
    graph = files.load(
        """
        services:
          app: {build: {context: ., additional_contexts: {base: "service:zero"}, secrets: [key]}}
          zero: {build: ./zero}
        secrets: {key: {file: ./key}}
        """
    ).dependencies
    images = [str(node) for node in graph.nodes if node.kind == "image"]
    assert images == ["image shop-zero", "image shop-app"]
    needed = graph.needs(Node(kind="image", name="shop-app"))
    assert [(str(one.needed), one.key) for one in needed] == [
        ("secret key", "secrets"),
        ("image shop-zero", "additional_contexts"),
    ]


def test_builds_in_a_circle_are_named(files: Files) -> None:
    problem = files.problem(
        """
        services:
          a: {build: {context: ., additional_contexts: {base: "service:b"}}}
          b: {build: {context: ., additional_contexts: {base: "service:a"}}}
        """
    )
    assert problem.code == "dependency-cycle"
    assert problem.what == "builds start from each other in a circle: a -> b -> a"
    assert problem.where == "compose.yaml:2:27"


def test_networkx_is_imported_where_something_has_to_be_ordered(files: Files) -> None:
    assert not _loads_networkx(files.write("services: {a: {image: x}, b: {image: y, scale: 3}}"))
    chained = files.write("services: {a: {image: x}, b: {image: y, links: [a]}}")
    assert _loads_networkx(chained)
    assert not _loads_networkx(chained, "load_checked")


def _loads_networkx(path: Path, load: str = "load_ordered") -> bool:
    program = (
        f"import sys\nfrom compose.graph.load import {load}\n"
        "from compose.model.options import LoadOptions\n"
        f"{load}(LoadOptions(working_directory=sys.argv[1], environment={{}}))\n"
        "print('networkx' in sys.modules)"
    )
    command = [sys.executable, "-c", program, str(path.parent)]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    return result.stdout.strip() == "True"
