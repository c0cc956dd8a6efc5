"""Short forms of ports, mounts and hosts (compose-file.md 4.4)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compose.source.shorthand import ShortMount, ShortPort, parse_host, parse_mount, parse_port


@pytest.mark.parametrize(
    ("text", "ports"),
    [
        ("80", [(None, None, 80, "tcp")]),
        ("8080:80", [(None, "8080", 80, "tcp")]),
        ("53:53/UDP", [(None, "53", 53, "udp")]),
        ("127.0.0.1:8080:80", [("127.0.0.1", "8080", 80, "tcp")]),
        ("127.0.0.1::80", [("127.0.0.1", None, 80, "tcp")]),
        ("[::1]:8080:80", [("::1", "8080", 80, "tcp")]),
        ("8000-8002:80", [(None, "8000-8002", 80, "tcp")]),
        ("8000-8001:90-91", [(None, "8000", 90, "tcp"), (None, "8001", 91, "tcp")]),
        ("90-91", [(None, None, 90, "tcp"), (None, None, 91, "tcp")]),
    ],
)
def test_ports(text: str, ports: list[tuple[str | None, str | None, int, str]]) -> None:
    assert parse_port(text) == [ShortPort(*port) for port in ports]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("::1:6000:6000", "brackets"),
        ("1-2:3-5", "different lengths"),
        ("80:70000", "above 65535"),
        ("9-8", "ends before it begins"),
        ("80/icmp", "not one of tcp"),
        ("a:80", "neither a port"),
        ("300.0.0.1:80:80", "not an IP address"),
        ("80:0", "between 1 and 65535"),
        ("", "neither a port"),
    ],
)
def test_what_is_no_port(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_port(text)


@given(st.integers(0, 65_000), st.integers(1, 65_000), st.integers(0, 20))
def test_ranges_of_equal_length_pair_up(host: int, container: int, more: int) -> None:
    ports = parse_port(f"{host}-{host + more}:{container}-{container + more}")
    assert [(port.published, port.target) for port in ports] == [
        (str(host + n), container + n) for n in range(more + 1)
    ]


@given(st.text(alphabet="0123456789.:-[]/tcpud", max_size=20))
def test_any_text_is_a_port_or_refused(text: str) -> None:
    try:
        for port in parse_port(text):
            assert 0 < port.target < 65_536
    except ValueError:
        pass


@pytest.mark.parametrize(
    ("text", "mount"),
    [
        ("/data", ShortMount("volume", "", "/data")),
        ("./src:/app", ShortMount("bind", "./src", "/app")),
        ("~/x:/y:ro", ShortMount("bind", "~/x", "/y", read_only=True)),
        ("data:/var/lib/x/../y/", ShortMount("volume", "data", "/var/lib/y")),
        ("data:/y:nocopy", ShortMount("volume", "data", "/y", nocopy=True)),
        ("/a:/b:rw,rshared,z", ShortMount("bind", "/a", "/b", propagation="rshared", selinux="z")),
        ("/a:/b:cached", ShortMount("bind", "/a", "/b")),
        ("/a:/b:odd", ShortMount("bind", "/a", "/b", unknown=("odd",))),
        ("foo/bar:/x", ShortMount("volume", "foo/bar", "/x")),
        ("v:/w:ro", ShortMount("volume", "v", "/w", read_only=True)),
    ],
)
def test_mounts(text: str, mount: ShortMount) -> None:
    assert parse_mount(text) == mount


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a::/b", "empty part"),
        ("", "empty part"),
        ("a:b", "not an absolute path"),
        ("a:/b:ro:rw", "more than three parts"),
    ],
)
def test_what_is_no_mount(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_mount(text)


@pytest.mark.parametrize(
    ("text", "entries"),
    [
        ("a=1.2.3.4", [("a", "1.2.3.4")]),
        ("a:1.2.3.4", [("a", "1.2.3.4")]),
        ("a=[::1]", [("a", "::1")]),
        ("a:::1", [("a", "::1")]),
        ("a=1.1.1.1,2.2.2.2", [("a", "1.1.1.1"), ("a", "2.2.2.2")]),
        ("h:host-gateway", [("h", "host-gateway")]),
    ],
)
def test_hosts(text: str, entries: list[tuple[str, str]]) -> None:
    assert parse_host(text) == entries


@pytest.mark.parametrize("text", ["a", "=1.2.3.4", "a=", "a=b"])
def test_what_is_no_host(text: str) -> None:
    with pytest.raises(ValueError, match=r"not of the form|not an IP address"):
        parse_host(text)
