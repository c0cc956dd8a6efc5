"""A container in words."""

from __future__ import annotations

from typing import Any

import pytest

from compose.ui.containers import fields, format_command, format_ports, format_status
from engine import Container, PublishedPort

NOW_S = 1_000_000.0


def container(**fields: Any) -> Container:
    values: dict[str, Any] = {
        "id": "ab" * 32,
        "name": "shop-web-1",
        "image_id": "sha256:" + "1" * 64,
        "reference": "busybox",
        "labels": {"com.docker.compose.service": "web", "com.docker.compose.project": "shop"},
        "created_at": NOW_S - 7200,
        "started_at": NOW_S - 180,
        "status": "running",
        "command": ("sleep", "1000"),
    }
    return Container(**{**values, **fields})


def port(target: int, published: int, protocol: str = "tcp") -> PublishedPort:
    return PublishedPort(
        host_ip="0.0.0.0",
        published=published,
        target=target,
        protocol=protocol,
    )


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({}, "Up 3 minutes"),
        ({"health": "healthy"}, "Up 3 minutes (healthy)"),
        ({"health": "starting"}, "Up 3 minutes (health: starting)"),
        ({"status": "paused"}, "Up 3 minutes (Paused)"),
        (
            {"status": "exited", "exit_code": 137, "finished_at": NOW_S - 7200},
            "Exited (137) 2 hours ago",
        ),
        (
            {"status": "restarting", "exit_code": 1, "finished_at": NOW_S - 4},
            "Restarting (1) 4 seconds ago",
        ),
        ({"status": "created"}, "Created"),
        ({"status": "dead"}, "Dead"),
        ({"status": "removing"}, "Removal In Progress"),
    ],
)
def test_the_status_is_worded_as_docker_words_it(fields: dict[str, Any], text: str) -> None:
    assert format_status(container(**fields), NOW_S) == text


def test_a_long_command_is_cut_at_twenty_characters() -> None:
    long = container(command=("docker-entrypoint.sh", "mysqld"))
    assert format_command(long) == '"docker-entrypoint.s…"'
    assert format_command(long, full=True) == '"docker-entrypoint.sh mysqld"'


def test_ports_in_a_row_are_shown_as_a_range() -> None:
    ports = (port(8001, 9001), port(8000, 9000), port(80, 8080), port(53, 53, "udp"))
    assert format_ports(container(ports=ports)) == (
        "0.0.0.0:8080->80/tcp, 0.0.0.0:9000-9001->8000-8001/tcp, 0.0.0.0:53->53/udp"
    )


def test_what_is_exposed_and_not_published_comes_last() -> None:
    exposed = ((80, "tcp"), (443, "tcp"), (444, "tcp"), (53, "udp"))
    web = container(ports=(port(80, 8080),), exposed=exposed)
    assert format_ports(web) == "0.0.0.0:8080->80/tcp, 443-444/tcp, 53/udp"
    assert format_ports(container(exposed=((3306, "tcp"),))) == "3306/tcp"
    shown = fields(container(exposed=((3306, "tcp"),)), NOW_S, full=False)["Publishers"]
    assert shown == [{"URL": "", "TargetPort": 3306, "PublishedPort": 0, "Protocol": "tcp"}]


def test_the_fields_have_the_keys_of_docker_compose() -> None:
    line = fields(container(ports=(port(80, 8080),)), NOW_S, full=False)
    assert list(line) == [
        "ID",
        "Name",
        "Names",
        "Project",
        "Service",
        "Image",
        "Command",
        "CreatedAt",
        "RunningFor",
        "State",
        "Status",
        "Health",
        "ExitCode",
        "Publishers",
        "Ports",
        "Labels",
        "Mounts",
        "LocalVolumes",
        "Networks",
        "Size",
    ]
    assert line["Publishers"] == [
        {"URL": "0.0.0.0", "TargetPort": 80, "PublishedPort": 8080, "Protocol": "tcp"}
    ]
    assert (line["ID"], line["Service"], line["Project"]) == ("ab" * 6, "web", "shop")
