"""Who reaches whom, as a table."""

from __future__ import annotations

from compose.ui.network.matrix import matrix_lines
from engine import Reach, SeenContainer, SeenPort, Topology

PORT = SeenPort(host_ip="0.0.0.0", published=8080, target=80, protocol="tcp", way="translated")


def container(name: str, *, pid: int | None = 7, shares: str = "") -> SeenContainer:
    return SeenContainer(
        id=name,
        name=name,
        labels={},
        status="running" if pid else "exited",
        pid=pid,
        shares=shares,
        endpoints=(),
        ports=(),
        ways_out=(),
    )


def topology(*containers: SeenContainer, reaches: tuple[Reach, ...] = ()) -> Topology:
    return Topology(hostname="lab", ways=(), networks=(), containers=containers, reaches=reaches)


def test_cells_say_by_what() -> None:
    reaches = (
        Reach(source="web", target="db", network="back"),
        Reach(source="outside", target="web", port=PORT),
        Reach(source="outside", target="web", port=PORT.replace(published=9090)),
        Reach(source="outside", target="web", port=PORT.replace(host_ip="::")),
    )
    others = (container("gone", pid=None), container("guest", shares="web"))
    found = topology(container("web"), container("db"), *others, reaches=reaches)
    assert matrix_lines(found, {}, 80)[1:] == [
        "              web     db  host  outside",
        "  web          \\      ●    ·       ·",
        "  db           ·      \\    ·       ·",
        "  host         ·      ·    \\",
        "  outside  8080 9090  ·            \\",
    ]


def test_what_does_not_fit_is_numbered() -> None:
    names = [f"service-with-a-name-{number}" for number in range(1, 31)]
    lines = matrix_lines(topology(*map(container, names)), {}, 160)
    assert lines[1].split() == [str(number) for number in range(1, 33)]
    assert lines[2].startswith("   1 service-with-a-name-1 ")
    assert lines[-1].startswith("  32 outside ")
    assert len(lines) == 2 + 32


def test_what_does_not_fit_even_so_is_left_out() -> None:
    many = topology(*(container(f"web-{number}") for number in range(300)))
    (line,) = matrix_lines(many, {}, 160)
    assert line.startswith("who reaches whom: 300 containers are too many")


def test_without_containers_that_run_there_is_none() -> None:
    assert matrix_lines(topology(container("gone", pid=None)), {}, 80) == []
