"""Networks as records and as kernel objects, and what is put right when these were lost."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from engine.errors import NetworkProblem
from engine.kernel.rtnetlink import RouteSocket
from engine.network import names, options, transient
from engine.network.networks import Networks
from engine.network.sandbox import Sandbox
from engine.network.spec import NetworkSpec, PoolSpec
from engine.state.db import open_database
from engine.state.paths import Roots
from tests.engine.network.world import (
    DROPPED_S,
    NEIGHBOUR,
    PATIENCE_S,
    World,
    ask,
    blocked,
    inside,
    port,
    reached,
    run,
)
from tests.marks import needs_program, needs_root
from tests.waiting import eventually

if TYPE_CHECKING:
    from engine.network.spec import Network

pytestmark = needs_root


def links() -> set[str]:
    with RouteSocket() as host:
        return {link.name for link in host.links()}


def test_a_network_is_as_asked_in_the_eyes_of_another_reader(world: World) -> None:
    spec = NetworkSpec(
        name="n",
        pools=(PoolSpec(subnet="10.5.0.0/24", gateway="10.5.0.254"),),
        labels={"a": "b"},
        options={options.MTU: "1400"},
    )
    network = world.networks.create(spec)
    seen = world.networks.observe(network)
    assert seen is not None
    assert (seen.up, seen.mtu, seen.addresses) == (True, 1400, ("10.5.0.254/24",))
    assert int(seen.mac_address[:2], 16) & 0b11 == 0b10
    assert (network.labels, network.device) == ({"a": "b"}, f"br-{network.id[:12]}")
    sysctls = Path("/proc/sys/net")
    assert (sysctls / f"ipv4/conf/{network.device}/route_localnet").read_text() == "1\n"
    assert (sysctls / f"ipv6/conf/{network.device}/accept_ra").read_text() == "0\n"
    box = world.run("web", "n")
    again = world.networks.observe(network)
    assert again is not None
    assert [(p.up, p.hairpin) for p in again.ports] == [(True, True)]
    assert again.mac_address == seen.mac_address  # it does not follow the ports
    assert (
        world.networks.attachments(box.id)[0].mac_address
        == (box.record["endpoints"][0]["mac_address"])
    )


def test_networks_are_found_by_name_id_and_prefix(world: World) -> None:
    one, other = world.network("one"), world.network("other")
    for spelling in ("one", one.id, one.id[:12]):
        assert world.networks.find(spelling) == one
    assert world.networks.find("on") is None
    assert world.networks.find("one*") is None
    assert world.networks.list() == [one, other]
    with pytest.raises(NetworkProblem, match="nobody not found"):
        world.networks.get("nobody")


def test_a_name_is_taken_once(world: World) -> None:
    world.network("one")
    with pytest.raises(NetworkProblem, match="already exists") as caught:
        world.network("one")
    assert caught.value.code == "network-exists"


def test_a_name_can_be_how_the_id_of_another_begins(world: World) -> None:
    one = world.network("one")
    assert world.network(one.id[:2]).id == world.networks.get(one.id[:2]).id != one.id


def test_a_device_of_somebody_else_is_not_taken_over(world: World) -> None:
    run("ip", "link", "add", "br0", "type", "bridge")
    with pytest.raises(NetworkProblem, match="device br0 already") as caught:
        world.network("one", options={options.NAME: "br0"})
    assert caught.value.code == "device-exists"
    assert world.networks.list() == []
    assert "br0" in links()
    world.network("two", options={options.NAME: "br1"})
    world.networks.remove("two")
    assert "br1" not in links()


def test_a_new_network_keeps_off_what_the_host_reaches(world: World) -> None:
    run("ip", "link", "add", "vpn", "type", "bridge")
    run("ip", "address", "add", "172.18.5.1/24", "dev", "vpn")
    run("ip", "link", "set", "vpn", "up")
    run("ip", "route", "add", "172.19.0.0/16", "via", "172.18.5.9")
    assert str(world.network("one").pools[0].subnet) == "172.20.0.0/16"


def test_engines_of_two_roots_never_meet(world: World, tmp_path: Path) -> None:
    roots = Roots(str(tmp_path), str(tmp_path / "run"))
    database = open_database(roots)
    other = Networks(roots, database)
    mine, theirs = world.network("same"), other.create(NetworkSpec(name="same"))
    assert mine.pools[0].subnet != theirs.pools[0].subnet
    other.remove("same")
    assert mine.device in links()
    assert theirs.device not in links()
    assert world.networks.find_faults([mine]) == []
    other.close()
    database.close()


def test_a_network_in_use_is_not_removed_and_its_users_are_named(world: World) -> None:
    world.network("one")
    box = world.run("web", "one")
    with pytest.raises(NetworkProblem, match=f"active endpoints: {box.id[:12]}") as caught:
        world.networks.remove("one")
    assert caught.value.code == "network-in-use"
    world.stop(box)
    world.networks.remove("one")
    world.networks.remove("one")


def test_nothing_is_left_of_removed_networks(world: World, roots: Roots) -> None:
    before = links()
    for name in ("one", "two"):
        world.network(name)
    box = world.run("web", "one", "two", serve=False, ports=(port(80, 8080),))
    world.stop(box)
    for name in ("one", "two"):
        world.networks.remove(name)
    assert eventually(lambda: links() == before)
    assert "buoy" not in run("nft", "list", "ruleset")
    assert os.listdir(f"{roots.run_root}/networks") == []  # noqa: PTH208
    assert world.database.execute("SELECT count(*) FROM addresses").fetchone()[0] == 0


def test_the_same_container_gets_the_same_again(world: World) -> None:
    world.network("one")
    container_id, record = world.record("web", "one", address_owner="p/web/1")
    assert world.networks.attach(container_id, "web", container_id[:12], _spec(record)) == record


def _spec(record: dict[str, Any]) -> Any:
    from engine.containers.spec import ContainerSpec, EndpointSpec

    wishes = tuple(EndpointSpec(network=e["network"]) for e in record["endpoints"])
    return ContainerSpec(name="web", image="", endpoints=wishes, address_owner="p/web/1")


def test_a_successor_takes_over_address_and_mac(world: World) -> None:
    world.network("one")
    old_id, old = world.record("web", "one", address_owner="p/web/1")
    world.networks.detach(old_id)
    assert world.networks.attachments(old_id) == ()
    world.record("other", "one")
    _, new = world.record("web", "one", address_owner="p/web/1")
    for key in ("addresses", "mac_address"):
        assert new["endpoints"][0][key] == old["endpoints"][0][key]


def test_a_container_without_networks_has_loopback_alone(world: World) -> None:
    _, record = world.record("alone", network="none")
    assert (record["mode"], record["endpoints"]) == ("none", [])
    box = world.run("alone", network="none")
    assert reached(box.sandbox.netns_fd, "127.0.0.1", 80) == "alone 127.0.0.1"
    with inside(box.sandbox.netns_fd):
        assert "eth0" not in links()


def test_creating_a_network_does_not_load_pyroute2(tmp_path: Path) -> None:
    code = f"""
import sys
from engine.kernel import namespaces
namespaces.unshare(namespaces.CLONE_NEWNET)
from engine import Engine, NetworkSpec, Roots
engine = Engine(Roots({str(tmp_path)!r}, {str(tmp_path / "run")!r}))
engine.networks.create(NetworkSpec(name="n"))
print([name for name in sys.modules if name.startswith("pyroute2")])
"""
    assert run(sys.executable, "-c", code) == "[]\n"


# -- what was lost is put back


def _up(world: World) -> Network:
    network = world.network("front")
    world.neighbour()
    world.run("web", "front", ports=(port(80, 8080), port(80, 9090, host_ip="127.0.0.1")))
    world.run("peer", "front")
    return network


def _works(world: World, patience_s: float = PATIENCE_S) -> bool:
    web, peer = world.boxes
    ways = (
        (None, "127.0.0.1", 8080, "web"),
        (None, "127.0.0.1", 9090, "web"),
        (peer.sandbox.netns_fd, web.address, 80, "web"),
        (web.sandbox.netns_fd, NEIGHBOUR, 80, "neighbour"),
    )
    return all(
        ask(source, "tcp", host, number, patience_s=patience_s).startswith(f"{who} ")
        for source, host, number, who in ways
    )


def _fails(world: World) -> bool:
    return not _works(world, DROPPED_S)


@needs_program("nft")
def test_a_flushed_firewall_is_put_back_with_the_published_ports(world: World) -> None:
    network = _up(world)
    closed = world.network("closed", internal=True)
    assert _works(world)
    run("nft", "flush", "ruleset")
    assert _fails(world)
    world.networks.ensure_up(network)
    assert _works(world)
    assert world.networks.find_faults([closed]) == []


def test_a_deleted_bridge_is_put_back_with_its_links(world: World) -> None:
    network = _up(world)
    run("ip", "link", "delete", network.device)
    assert blocked(None, "127.0.0.1", 8080)
    world.networks.ensure_up(network)
    assert _works(world)


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("ip link set {bridge} down", "bridge {bridge} is down"),
        ("ip address flush dev {bridge}", "bridge {bridge} has no {gateway} any more"),
        ("ip link set {veth} nomaster", "web: link {veth} is no port of {bridge} any more"),
        ("ip link set {veth} down", "web: link {veth} is down"),
        ("sysctl -qw net.ipv4.ip_forward=0", "net.ipv4.ip_forward is 0"),
        (
            "sysctl -qw net.ipv4.conf.{bridge}.route_localnet=0",
            "net.ipv4.conf.{bridge}.route_localnet is 0 and has to be 1",
        ),
        ("nft flush ruleset", "nftables table `ip {table}` is gone"),
        (
            "nft flush chain ip {table} output",
            "nftables table `ip {table}` has other rules in output",
        ),
        (
            "nft add rule ip {table} forward drop",
            "nftables table `ip {table}` has other rules in forward",
        ),
        (
            "nft delete element ip {table} bridges { {bridge} }",
            "set `bridges` of nftables table `ip {table}` does not have it",
        ),
        (
            "nft delete element ip {table} masqueraded { {subnet} }",
            "set `masqueraded` of nftables table `ip {table}` does not have it",
        ),
        (
            "nft delete element ip {table} published { tcp . 8080 }",
            "the firewall does not lead tcp/0.0.0.0:8080->80 to its container",
        ),
    ],
)
@needs_program("nft")
def test_what_was_changed_is_told_and_put_back(world: World, fault: str, told: str) -> None:
    network = _up(world)
    pool = network.pools[0]
    words = {
        "{bridge}": network.device,
        "{table}": world.roots.kernel_name,
        "{veth}": next(one.link for one in world.networks.endpoints(network)),
        "{subnet}": str(pool.subnet),
        "{gateway}": f"{pool.gateway}/{pool.subnet.prefixlen}",
    }
    for word, value in words.items():
        fault, told = fault.replace(word, value), told.replace(word, value)
    assert world.networks.find_faults([network]) == []
    run(*fault.split())
    assert _fails(world)
    (seen,) = map(str, world.networks.find_faults([network]))
    assert seen.replace(world.boxes[0].id[:12], "web") == told
    world.networks.restore(network)
    assert world.networks.find_faults([network]) == []
    assert eventually(lambda: _works(world))  # who asked for its MAC meanwhile gives up first


@needs_program("nft")
def test_elements_of_others_in_our_sets_are_not_in_the_way(world: World) -> None:
    world.network("first")
    table = world.roots.kernel_name
    run("nft", "add", "element", "ip", table, "subnets", "{ 10.0.0.0/8 }")
    second = world.network("second", pools=(PoolSpec(subnet="10.5.0.0/24"),))
    assert world.networks.find_faults([second]) == []
    assert "10.0.0.0/8" not in run("nft", "list", "set", "ip", table, "subnets")


def test_routes_in_the_way_of_a_network_are_told(world: World) -> None:
    chosen = world.network("chosen")
    given = world.network("given", pools=(PoolSpec(subnet="10.5.0.0/24"),))
    world.run("web", "chosen", serve=False)
    run("ip", "link", "add", "vpn", "type", "bridge")
    run("ip", "link", "set", "vpn", "up")

    def told(route: str) -> list[str]:
        run("ip", "route", "add", *route.split())
        found = [one for one in world.networks.find_faults([chosen, given]) if one.hint]
        run("ip", "route", "delete", *route.split())
        return [f"{one.network}: {one.what}" for one in found]

    assert told("10.0.0.0/8 dev vpn") == told("default dev vpn") == []
    assert told("172.16.0.0/12 dev vpn") == [
        "chosen: its subnet 172.18.0.0/16 hides a part of 172.16.0.0/12, which the host has by vpn"
    ]
    assert told("10.5.0.128/25 dev vpn") == [
        "given: 10.5.0.128/25 of its subnet is led to vpn by a route of the host: "
        "nobody has an address there"
    ]
    (line,) = told("172.18.0.0/24 dev vpn")
    assert line.startswith("chosen: 172.18.0.0/24 of its subnet is led to vpn by a route of the")
    assert line.endswith(f": {world.boxes[0].id[:12]} (172.18.0.2) cannot be reached")
    run("ip", "route", "add", "default", "dev", "vpn")
    (line,) = told("10.5.0.0/25 dev vpn")  # and nothing of the rest, which is not led there
    assert line.startswith("given: 10.5.0.0/25 of its subnet is led to vpn")
    run("ip", "route", "delete", "default")
    run("ip", "rule", "add", "lookup", "51820", "priority", "100")  # before the main table
    (first, second) = told("default dev vpn table 51820")
    assert "172.18.0.0/16 of its subnet is led to vpn" in first
    assert "10.5.0.0/24 of its subnet is led to vpn" in second
    run("ip", "route", "add", "10.6.0.0/25", "dev", "vpn")
    world.network("late", pools=(PoolSpec(subnet="10.6.0.0/24"),))
    assert [text for text in world.networks.notices if "10.6.0.0/25 of its subnet" in text]


def test_after_a_reboot_the_record_is_enough(world: World, roots: Roots) -> None:
    network = world.network("front")
    run("ip", "link", "delete", network.device)
    run("nft", "flush", "ruleset")
    names.remove(roots.network_run(network.id))
    world.networks.ensure_up(network)
    world.run("web", "front", ports=(port(80, 8080),))
    assert reached(None, "127.0.0.1", 8080).startswith("web ")


# -- killed monitors


def _killed(world: World, name: str, **given: Any) -> str:
    """A container whose monitor is killed: what it made is left as it is."""
    container_id, record = world.record(name, "front", **given)
    reader, writer = os.pipe()
    monitor = os.fork()
    if monitor == 0:
        Sandbox.create(record, container_id).register()
        os.write(writer, b"x")
        signal.pause()
    os.read(reader, 1)
    os.close(reader)
    os.close(writer)
    os.kill(monitor, signal.SIGKILL)
    os.waitpid(monitor, 0)
    return container_id


def test_what_a_killed_monitor_left_is_mended_and_what_lives_is_not(world: World) -> None:
    network = world.network("front")
    alive = world.run("alive", "front", ports=(port(80, 8081),))
    dead = _killed(world, "dead", ports=(port(80, 8080),))
    firewall = world.networks._gateway._firewall
    assert {p.published for p in firewall.publications()} == {8080, 8081}
    assert {e.container_id for e in world.networks.endpoints(network)} == {alive.id, dead}
    # another command started `alive` after this one counted who lives
    world.networks.mend([])
    assert {p.published for p in firewall.publications()} == {8081}
    assert {e.container_id for e in world.networks.endpoints(network)} == {alive.id}
    assert reached(None, "127.0.0.1", 8081).startswith("alive ")


def test_a_port_of_a_killed_monitor_can_be_had_at_once(world: World) -> None:
    world.network("front")
    _killed(world, "dead", ports=(port(80, 8080),))
    world.run("next", "front", ports=(port(80, 8080),))
    assert reached(None, "127.0.0.1", 8080).startswith("next ")


def test_claims_of_containers_that_are_gone_are_given_back(world: World) -> None:
    world.network("front")
    gone, _ = world.record("gone", "front")
    sticky, record = world.record("sticky", "front", address_owner="p/web/1")
    kept, _ = world.record("kept", "front")
    world.database.execute(
        "INSERT INTO containers (id, name, labels, spec, created_at) VALUES (?, 'kept', '', '', 0)",
        (kept,),
    )
    world.networks.mend([])
    rows = world.database.execute("SELECT owner, container_id FROM addresses").fetchall()
    assert {tuple(row) for row in rows} == {("p/web/1", None), (kept, kept)}
    assert gone != sticky
    assert record["endpoints"]


def test_a_sandbox_that_cannot_be_made_leaves_nothing(world: World) -> None:
    network = world.network("front")
    container_id, record = world.record("web", "front", ports=(port(80, 8080),))
    run("ip", "link", "delete", network.device)
    before = (links(), len(os.listdir("/proc/self/fd")))  # noqa: PTH208
    with pytest.raises(Exception, match="its device"):
        Sandbox.create(record, container_id)
    assert eventually(lambda: (links(), len(os.listdir("/proc/self/fd"))) == before)  # noqa: PTH208
    assert world.networks._gateway._firewall.publications() == []


def test_the_namespace_is_set_up_as_a_containers(world: World) -> None:
    world.network("front")
    box = world.run("web", "front")
    wanted = {
        "net.ipv4.ping_group_range": "0\t2147483647",
        "net.ipv4.ip_unprivileged_port_start": "0",
        "net.ipv6.conf.eth0.accept_ra": "0",
        "net.ipv6.conf.eth0.disable_ipv6": "1",
    }
    with inside(box.sandbox.netns_fd):
        for name, value in wanted.items():
            path = Path("/proc/sys", *name.split("."))
            assert path.read_text().strip() == value, name


def test_records_are_json(world: World) -> None:
    world.network("front")
    _, record = world.record("web", "front", ports=(port(80),), dns=("192.0.2.1",))
    assert json.loads(json.dumps(record)) == record


# -- networks that are there while they are needed


def test_the_default_network_stays_when_somebody_comes_while_the_last_one_goes(
    world: World, roots: Roots
) -> None:
    last, _ = world.record("last", "bridge")
    reader, writer = os.pipe()
    going = os.fork()  # before the lock is held, or it would hold it, too
    if going == 0:
        os.read(reader, 1)
        Networks(roots, open_database(roots)).detach(last)  # waits to drop the network
        os._exit(0)
    with transient.kept(roots):
        os.write(writer, b"x")
        claimed = "SELECT 1 FROM addresses WHERE container_id IS NOT NULL"
        assert eventually(lambda: world.database.execute(claimed).fetchone() is None)
        following, _ = world.record("next", "bridge")
    os.waitpid(going, 0)
    os.close(reader)
    os.close(writer)
    assert world.networks.get("bridge").device in links()
    world.networks.detach(following)


def test_it_goes_with_the_last_one(world: World) -> None:
    before = links()
    last, _ = world.record("last", "bridge")
    world.networks.detach(last)
    assert world.networks.find("bridge") is None
    assert links() == before


def test_networks_that_are_removed_together_leave_those_in_use_and_those_of_others(
    world: World,
) -> None:
    run("ip", "link", "add", "lan0", "type", "bridge")
    before = links()
    for name in ("one", "two", "three"):
        world.network(name)
    box = world.run("web", "two", serve=False)
    kept = world.networks.remove_all(["one", "two", "three", "never-made"])
    assert {name: problem.code for name, problem in kept.items()} == {"two": "network-in-use"}
    assert [network.name for network in world.networks.list()] == ["two"]
    assert world.networks.find_faults(world.networks.list()) == []
    world.stop(box)
    assert world.networks.remove_all(["two"]) == {}
    assert eventually(lambda: links() == before)


def test_of_those_one_may_have_been_deleted_by_hand(world: World) -> None:
    before = links()
    networks = [world.network(name) for name in ("one", "two", "three")]
    run("ip", "link", "delete", networks[1].device)
    assert world.networks.remove_all([network.name for network in networks]) == {}
    assert links() == before
