"""From where ports can be reached, in words."""

from __future__ import annotations

import pytest

from compose.ui.exposure import exposure_fields, exposure_lines, format_exposure
from engine import PublishedPort, Way
from tests.compose.ui.test_containers import container

LAN = Way(scope="routed", link="eth0", address="192.168.1.5")
LAN6 = Way(scope="lan", link="eth0", address="fd00::5")
LINK = Way(scope="lan", link="eth2", address="fe80::2")
PUBLIC = Way(scope="everywhere", link="eth1", address="1.2.3.4")


def published(
    number: int, *addresses: str, protocol: str = "tcp", target: int = 80
) -> list[PublishedPort]:
    return [
        PublishedPort(host_ip=one, published=number, target=target, protocol=protocol)
        for one in addresses
    ]


@pytest.mark.parametrize(
    ("ports", "ways", "line"),
    [
        (published(8080, "127.0.0.1", "::1"), (LAN,), "http://localhost:8080 — this host only"),
        (published(8080, "0.0.0.0"), (), "http://localhost:8080 — this host only"),
        (
            published(8080, "0.0.0.0", "::"),
            (LAN, LAN6),
            "http://localhost:8080 — this LAN (eth0 192.168.1.5, eth0 fd00::5), "
            "and where that is routed",
        ),
        (
            published(80, "::", target=81),
            (LAN6, Way(scope="lan", link="eth0", address="fe80::1"), LINK),
            "localhost:80 — this LAN (eth0 fd00::5, eth2 fe80::2)",
        ),
        (
            published(53, "0.0.0.0", protocol="udp", target=53),
            (PUBLIC, LAN),
            "localhost:53/udp — everywhere (eth1 1.2.3.4), this LAN (eth0 192.168.1.5)",
        ),
        (
            published(5432, "1.2.3.4", target=5432),
            (PUBLIC, LAN),
            "1.2.3.4:5432 — everywhere (eth1 1.2.3.4)",
        ),
        (
            published(9, "fd00::5", target=9000),
            (LAN6,),
            "https://[fd00::5]:9 — this LAN (eth0 fd00::5)",
        ),
        (
            [one for number in range(6) for one in published(8000 + number, "::1", target=1)],
            (),
            "localhost:8000, localhost:8001, localhost:8002, localhost:8003 and 2 more"
            " — this host only",
        ),
    ],
)
def test_a_line_for_the_ports_of_a_service(
    ports: list[PublishedPort], ways: tuple[Way, ...], line: str
) -> None:
    assert list(exposure_lines("web", ports, {9000: "https"}, ways)) == [f"web: {line}"]


def test_ports_that_are_reached_otherwise_have_a_line_of_their_own() -> None:
    ports = (*published(8080, "0.0.0.0"), *published(5432, "127.0.0.1", target=5432))
    assert list(exposure_lines("web", ports, {}, (PUBLIC,))) == [
        "web: http://localhost:8080 — everywhere (eth1 1.2.3.4)",
        "web: localhost:5432 — this host only",
    ]
    both = container(ports=ports)
    expected = "8080: everywhere (eth1 1.2.3.4); 5432: this host only"
    assert format_exposure(both, (PUBLIC,)) == expected
    assert format_exposure(container(), (PUBLIC,)) == ""
    assert [one["Scope"] for one in exposure_fields(both, (PUBLIC,))] == ["everywhere", "host"]
