"""The graph of a project: order, cycles, names that lead nowhere (compose-file.md 16, 20.3)."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from compose.errors import DependencyCycle
from compose.graph.dependencies import order
from compose.model import Dependency, Node, Project, Service

if TYPE_CHECKING:
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
