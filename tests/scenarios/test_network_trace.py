"""`buoy network trace`, on a host of the test's own."""

from __future__ import annotations

import json
import re
import signal
from typing import TYPE_CHECKING

import pytest

from compose.__main__ import main
from engine.network.trace import lookup
from tests.engine.network.world import private_host, run
from tests.marks import needs_program, needs_root
from tests.waiting import LIMIT_S, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.scenarios.conftest import Buoy

pytestmark = [needs_root, needs_program("nft"), pytest.mark.usefixtures("busybox")]

PLAIN = "image: busybox, stop_grace_period: 0s"
SLEEPS = f"{PLAIN}, command: sleep 1000"
SERVES = f'{PLAIN}, command: [httpd, -f, -p, "[::]:80"]'
PROJECT = f"""
services:
  web:
    {{{SERVES}, networks: [front], ports: ["8080:80", "127.0.0.1:9090:80", "127.0.0.1:9091:80"]}}
  shy:
    {{{PLAIN}, command: [httpd, -f, -p, "127.0.0.1:80"], networks: [front],
      ports: ["203.0.113.1:9091:80"]}}
  proxy: {{{SLEEPS}, networks: [front, back]}}
  db: {{{SERVES}, networks: [back]}}
  side: {{{SLEEPS}, network_mode: "service:db"}}
  agent: {{{SLEEPS}, network_mode: host}}
  apart: {{{SLEEPS}, networks: [apart], deploy: {{replicas: 2}}}}
networks:
  front:
    enable_ipv6: true
    ipam: {{config: [{{subnet: 10.1.0.0/24}}, {{subnet: "fd00:1::/64"}}]}}
  back: {{internal: true, ipam: {{config: [{{subnet: 10.2.0.0/24}}]}}}}
  apart:
    ipam: {{config: [{{subnet: 10.3.0.0/24}}]}}
    driver_opts: {{com.docker.network.bridge.enable_icc: "false"}}
"""
OTHER = f"services: {{alien: {{{SERVES}}}}}"

REACHED, REFUSED, DROPPED, LOST = "reached", "refused", "dropped", "lost"
LEAVES, UNROUTED, UNTOLD = "leaves", "no-route", "untold"
SUMMARIES = {
    REACHED: r"^\S+ reaches \S+( at \S+)?$",
    REFUSED: r"^\S+ reaches \S+, and is refused there$",
    DROPPED: r"^(dropped|the answer was dropped) by ",
    LOST: r"last seen on|keeps its ports apart|about to leave this host",
    LEAVES: r"^\S+ reaches the outside: ",
    UNROUTED: r"^\S+ has no (way to|address)",
    UNTOLD: r"^nothing was sent$",
}
TRACES = [
    # on one network: by name, by IPv6, without a port, to nobody, to a program that is shy
    ("proxy web 80", REACHED, ["web is 10.1.0.", "directly", "within a network", "SYN, ACK"]),
    ("proxy web 80 -6", REACHED, ["web is fd00:1::", "ip6 buoy-", "SYN, ACK"]),
    ("proxy web", REACHED, ["an echo came back"]),
    ("proxy web -6", REACHED, ["an echo came back"]),
    ("proxy web 81", REFUSED, ["nobody listens on port 81 in web-1", "a reset came back"]),
    ("proxy web 81/udp", REFUSED, ["unreachable, says 10.1.0."]),
    ("proxy shy 80", REFUSED, ["shy-1 listens on 127.0.0.1:80 alone", "listen on 0.0.0.0"]),
    # where names, routes and rules are in the way
    ("web db 80", DROPPED, ["knows no db", "“into an internal network”", "put web-1 on it"]),
    ("web apart-1 80/udp", DROPPED, ["“into a network, but by a published port”", "publish"]),
    ("apart-1 apart-2", DROPPED, ["enable_icc is false"]),
    ("web other-alien-1 80", DROPPED, ["“into a network, but by a published port”"]),
    ("db 198.51.100.1 80", UNROUTED, ["internal networks alone (app_back)"]),
    ("db host 8080", DROPPED, ["“out of an internal network”", "published at all addresses"]),
    # shared namespaces, and the host's own
    ("side db 80", REACHED, ["127.0.0.1 within itself", "db-1 listens on [::]:80"]),
    ("proxy side 80", REACHED, ["it came to side-1"]),
    ("agent db 80", REACHED, ["agent-1 sends to 10.2.0.", "it came to db-1"]),
    ("host web 80", REACHED, ["it came to web-1"]),
    ("web host", REACHED, ["passes it to the host", "an echo came back"]),
    # published ports: of the host, of others, of itself; by the relay
    ("host 8080", REACHED, ["published at all addresses", "from: this LAN (uplink 203.0.113.1)"]),
    ("host 9090", REACHED, ["published at that address", "from: this host only"]),
    ("proxy host 8080", REACHED, ["published at all addresses", "it came to web-1"]),
    ("web host 8080", REACHED, ["by a published port from a container", "it came to web-1"]),
    ("web 127.0.0.1 80", REACHED, ["within itself", "web-1 listens on [::]:80"]),
    ("proxy ::1 80", REFUSED, ["within itself", "nobody listens on port 80 in proxy-1"]),
    ("host 127.0.0.1 9090", REACHED, ["published at that address", "it came to web-1"]),
    ("host 127.0.0.1 9091", REACHED, ["it came to web-1"]),
    ("host 203.0.113.1 9091", REFUSED, ["it came to shy-1"]),
    ("proxy 10.1.0.1 9090", REFUSED, ["a reset came back"]),
    ("host 8080 -6", REACHED, ["a process of Buoy takes it", "web-1 listens on [::]:80"]),
    # out into the world, which hears nothing of it
    ("web 203.0.113.77 443", LEAVES, ["by uplink, as 203.0.113.1, the host's", "held back"]),
    ("host 203.0.113.77", LEAVES, ["it leaves this host by uplink"]),
]


@pytest.fixture(autouse=True)
def host() -> Iterator[None]:
    with private_host():
        run("ip", "link", "add", "uplink", "type", "veth", "peer", "name", "far")
        run("ip", "address", "add", "203.0.113.1/24", "dev", "uplink")
        for link in ("uplink", "far"):
            run("ip", "link", "set", link, "up")
        neighbour = ("203.0.113.77", "lladdr", "02:00:00:00:00:01", "dev", "uplink")
        run("ip", "neighbour", "add", *neighbour)
        run("nft", "add", "table", "netdev", "others")
        came = "{ type filter hook ingress device far priority 0; }"
        run("nft", "add", "chain", "netdev", "others", "came", came)
        run("nft", "add", "rule", "netdev", "others", "came", "ip", "version", "4", "counter")
        yield
        assert "packets 0 bytes 0" in run("nft", "list", "table", "netdev", "others")


class Tracing:
    """Traces of a project, in this process: there are many."""

    def __init__(self, buoy: Buoy, capsys: pytest.CaptureFixture[str]) -> None:
        self._options = ["--project-directory", str(buoy.directory)]
        self._options += ["--root", buoy.roots.root, "--run-root", buoy.roots.run_root]
        self._capsys = capsys

    def __call__(self, words: str, outcome: str) -> str:
        """What is printed of a trace that has to come to that."""
        exit_code = main([*self._options, "network", "trace", *words.split()])
        text = self._capsys.readouterr().out
        assert exit_code == (0 if outcome in (REACHED, LEAVES) else 1), text
        assert re.search(SUMMARIES[outcome], text.split("\n\n")[-1], re.MULTILINE), text
        return text


@pytest.fixture
def traced(
    buoy: Buoy, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Tracing:
    monkeypatch.setattr(lookup, "_PATIENCE_S", LIMIT_S)
    return Tracing(buoy, capsys)


def await_server(buoy: Buoy, service: str) -> None:
    """Return once it listens."""
    script = "until netstat -ltn | grep -q ':80 '; do sleep 0.05; done"
    buoy.run("exec", "-T", service, "sh", "-c", script)


def rejected(buoy: Buoy, words: str) -> str:
    done = buoy.run("network", "trace", *words.split(), check=False)
    assert done.exit_code != 0
    return done.stderr


def test_ways_are_told_hop_by_hop(buoy: Buoy, traced: Tracing) -> None:
    buoy.write("compose.yaml", PROJECT)
    buoy.write("other.yaml", OTHER)
    traced("host 203.0.113.77 443", LEAVES)  # no rule is there yet that could hold it back
    buoy.run("up", "-d")
    buoy.run("-p", "other", "-f", "other.yaml", "up", "-d")
    for service in ("web", "shy", "db"):
        await_server(buoy, service)
    for words, outcome, said in TRACES:
        text = traced(words, outcome)
        for part in said:
            assert part in text, f"{words}: {part}\n{text}"
    assert "trace" not in run("nft", "list", "tables")
    shown = buoy.run("network", "trace", "proxy", "web", "80", "--format", "json").stdout
    found = json.loads(shown)
    assert (found["source"], found["target"], found["sent_port"]) == ("proxy-1", "web-1", 80)
    assert [hop["stage"] for hop in found["hops"]] == [
        *("name", "route", "link", "bridge", "rules", "link", "port", "answer")
    ]

    assert "there is no container or service `nobody`" in rejected(buoy, "nobody web")
    for words, refusal in (
        ("web proxy http", "`http` is no port"),
        ("host ² ²", "`²` is no port"),
        ("web ff02::1", "no trace leads to the address ff02::1"),
        ("web fe80::1%eth0", "no trace leads to the address fe80::1%eth0"),
        ("web 127.0.0.1 80 -6", "127.0.0.1 is no IPv6 address"),
    ):
        assert refusal in rejected(buoy, words)
    traced("host a..b 80", UNROUTED)
    buoy.run("stop", "-t", "0", "apart")
    assert "apart-1 does not run (exited)" in rejected(buoy, "web apart")
    buoy.run("-p", "other", "-f", "other.yaml", "down")


UNUSUAL = f"""
services:
  web: {{{SERVES}, networks: [lan]}}
  peer: {{{SLEEPS}, networks: [lan]}}
  six: {{{SERVES}, networks: [six], ports: ["8081:80"]}}
  old: {{{SLEEPS}, network_mode: bridge}}
  bare: {{{SLEEPS}, network_mode: none}}
networks:
  lan:
    driver: macvlan
    driver_opts: {{parent: uplink}}
    ipam: {{config: [{{subnet: 203.0.113.0/24, ip_range: 203.0.113.128/25}}]}}
  six: {{enable_ipv4: false, enable_ipv6: true}}
"""


def test_networks_of_other_kinds(buoy: Buoy, traced: Tracing) -> None:
    buoy.write("compose.yaml", UNUSUAL)
    buoy.run("up", "-d")
    for service in ("web", "six"):
        await_server(buoy, service)
    assert "eth0: it came to web-1" in traced("peer web 80", REACHED)
    assert "past its rules, and cannot be held back" in traced("peer 203.0.113.77", UNTOLD)
    assert "the host itself is not heard on app_lan (macvlan)" in traced("host web 80", LOST)
    text = traced("host 8081", REACHED)  # a client of IPv4, a container of IPv6
    assert "a process of Buoy takes it" in text
    assert "its networks have no IPv4" in traced("six web", UNROUTED)
    text = traced("old six 80", UNROUTED)
    assert "nobody answers at 127.0.0.11 of old-1" in text
    assert "its networks have no IPv6" in text
    assert "it is on no network" in traced("bare web", UNROUTED)
    assert "bare-1 has no address" in traced("peer bare", UNROUTED)

    for container, address in (("app-six-1", "10.9.0.2/24"), ("app-old-1", "10.9.0.3/24")):
        buoy.run("network", "plug", container, "--bridge", "lab", "--address", address)
    drawn = buoy.run("network", "graph").stdout
    assert "host:lab  lab  (plugged by hand)  (internal: no way in or out)" in drawn
    assert "six-1  10.9.0.2  eth1  8081→80  also on app_six" in drawn
    assert "missing" not in drawn
    assert "it came to old-1" in traced("six 10.9.0.3", REACHED)

    buoy.run("network", "plug", "app-bare-1", "--bridge", "lab")
    drawn = json.loads(buoy.run("network", "graph", "--format", "json").stdout)
    bare = next(one for one in drawn["containers"] if one["name"] == "app-bare-1")
    inside = ("nsenter", "--net", "--target", str(bare["pid"]))
    run(*inside, "ip", "route", "add", "10.9.0.0/24", "dev", "eth0")
    assert "bare-1 has no address on eth0 to send to" in traced("bare 10.9.0.3", UNROUTED)


FRONT = f"""
services:
  web: {{{SERVES}, networks: [front], ports: ["8080:80"]}}
  proxy: {{{SLEEPS}, networks: [front]}}
networks:
  front: {{ipam: {{config: [{{subnet: 10.1.0.0/24}}]}}}}
"""


def chain(family: str, table: str, name: str, hook: str, policy: str = "drop") -> None:
    run("nft", "add", "table", family, table)
    based = f"{{ type filter hook {hook} priority 0; policy {policy}; }}"
    run("nft", "add", "chain", family, table, name, based)


def test_who_else_drops_it_is_named(buoy: Buoy, traced: Tracing) -> None:
    buoy.write("compose.yaml", FRONT)
    buoy.run("up", "-d")
    await_server(buoy, "web")

    chain("ip", "filter", "FORWARD", "forward")
    text = traced("web 203.0.113.77 443", DROPPED)
    assert "dropped by iptables-nft, ip filter FORWARD: its policy" in text
    assert "hint: iptables -I FORWARD -i br-" in text
    assert "but chain `ip filter FORWARD` does not let br-" in traced("host 8080", REACHED)
    run("nft", "add", "chain", "ip", "filter", "DOCKER-USER")
    assert "iptables-nft (Docker)" in traced("web 203.0.113.77 443", DROPPED)
    run("nft", "delete", "table", "ip", "filter")

    chain("inet", "firewalld", "filter_FORWARD", "forward", "accept")
    rule = ("ip", "daddr", "203.0.113.0/24", "counter", "drop", "comment", '"not to them"')
    run("nft", "add", "rule", "inet", "firewalld", "filter_FORWARD", *rule)
    text = traced("web 203.0.113.77 443", DROPPED)
    assert "dropped by firewalld, inet firewalld filter_FORWARD: “not to them”" in text
    assert "firewall-cmd --zone=trusted --add-interface=br-" in text
    run("nft", "delete", "table", "inet", "firewalld")

    chain("inet", "mine", "watch", "output", "accept")
    run("nft", "add", "rule", "inet", "mine", "watch", "tcp", "dport", "80", "reject")
    assert "dropped by somebody else's table" in traced("host 127.0.0.1 80", DROPPED)
    text = traced("host web 80", DROPPED)
    assert "dropped by somebody else's table, inet mine watch: meta l4proto tcp dport 80" in text
    assert "see `nft -a list chain inet mine watch`" in text
    run("nft", "delete", "table", "inet", "mine")

    drawn = json.loads(buoy.run("network", "graph", "--format", "json").stdout)
    web = next(one for one in drawn["containers"] if one["name"] == "app-web-1")
    inside = ("nsenter", "--net", "--target", str(web["pid"]), "nft", "add")
    run(*inside, "table", "inet", "own")
    run(
        *inside, "chain", "inet", "own", "in", "{ type filter hook input priority 0; policy drop; }"
    )
    text = traced("proxy web 80", DROPPED)
    assert "it came to web-1" in text
    assert "dropped by somebody else's table, inet own in: its policy" in text
    run("nsenter", "--net", "--target", str(web["pid"]), "nft", "delete", "table", "inet", "own")

    chain("inet", "mine", "back", "prerouting", "accept")
    run("nft", "add", "rule", "inet", "mine", "back", "tcp", "sport", "80", "drop")
    text = traced("host 8080", DROPPED)
    assert "the answer was dropped by somebody else's table, inet mine back" in text
    run("nft", "delete", "table", "inet", "mine")
    traced("host 8080", REACHED)

    run("ip", "link", "add", "foreign0", "type", "bridge")  # of another engine, with a guest
    run("ip", "address", "add", "10.8.0.1/24", "dev", "foreign0")
    run("ip", "link", "set", "foreign0", "up")
    assert "passes it to the host" in traced("web 10.8.0.1", REACHED)
    assert "it left web-1" in traced("web 10.8.0.9", LOST)


@needs_program("iptables-legacy")
def test_what_no_rule_has_dropped_is_told_as_far_as_known(buoy: Buoy, traced: Tracing) -> None:
    buoy.write("compose.yaml", PROJECT)
    buoy.run("up", "-d", "web", "proxy", "apart")
    await_server(buoy, "web")
    drawn = json.loads(buoy.run("network", "graph", "--format", "json").stdout)
    devices = {network["name"]: network["device"] for network in drawn["networks"]}

    run("ip", "route", "add", "10.1.0.0/25", "dev", "uplink")  # a VPN, say
    text = traced("proxy host 8080", LOST)
    assert f"by uplink, not by {devices['app_front']}: another route lies over" in text
    run("ip", "route", "delete", "10.1.0.0/25", "dev", "uplink")
    run("iptables-legacy", "-P", "FORWARD", "DROP")
    text = traced("web 203.0.113.77 443", LOST)
    assert "passes it to the host" in text
    assert "chain FORWARD of iptables-legacy drops what it does not know" in text
    run("iptables-legacy", "-P", "FORWARD", "ACCEPT")

    run("sysctl", "-qw", "net.bridge.bridge-nf-call-iptables=0")
    run("sysctl", "-qw", "net.bridge.bridge-nf-call-ip6tables=0")
    buoy.run("up", "-d", "--force-recreate", "apart")
    text = traced("apart-1 apart-2", LOST)
    assert f"{devices['app_apart']} keeps its ports apart: enable_icc is false" in text
    text = traced("proxy web 80", REACHED)
    assert "rules" not in text  # none is asked
    chain("bridge", "frames", "forward", "forward", "accept")
    run("nft", "add", "rule", "bridge", "frames", "forward", "tcp", "dport", "80", "drop")
    text = traced("proxy web 80 -6", DROPPED)
    assert (
        "dropped by somebody else's table, bridge frames forward: meta l4proto tcp dport 80 drop"
        in text
    )
    run("nft", "delete", "table", "bridge", "frames")

    run("ip", "link", "delete", devices["app_front"])
    text = traced("proxy web 80", LOST)
    assert f"is no port of {devices['app_front']}" in text
    assert "`buoy network repair` puts it right" in text


def test_a_trace_that_is_killed_leaves_nothing(buoy: Buoy) -> None:
    buoy.write("compose.yaml", PROJECT)
    buoy.run("up", "-d", "web", "proxy")
    run("ip", "route", "add", "10.1.0.0/25", "dev", "uplink")
    tracing = buoy.start("network", "trace", "proxy", "host", "8080")
    while "-trace-" not in run("nft", "list", "tables"):
        if tracing.poll() is not None:  # it was done between two looks
            tracing.communicate()
            tracing = buoy.start("network", "trace", "proxy", "host", "8080")
    tracing.send_signal(signal.SIGKILL)
    tracing.communicate()
    assert eventually(lambda: "-trace-" not in run("nft", "list", "tables"))
