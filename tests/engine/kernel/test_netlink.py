"""Netlink by hand, against what an independent reader (pyroute2) finds."""

from __future__ import annotations

import errno
import itertools
import os
import threading
from socket import AF_INET
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.kernel import namespaces, netlink, rtnetlink
from engine.kernel.netlink import NetlinkError
from engine.kernel.rtnetlink import RouteSocket
from tests.engine.network.world import private_host
from tests.marks import needs_root

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def host() -> Iterator[RouteSocket]:
    with private_host(), RouteSocket() as host:
        yield host


@pytest.fixture
def reader(host: RouteSocket) -> Iterator[Any]:
    from pyroute2 import IPRoute  # type: ignore[import-untyped]

    with IPRoute() as reader:
        yield reader


MAC = "02:11:22:33:44:55"


@needs_root
def test_a_bridge_is_made_as_asked(host: RouteSocket, reader: Any) -> None:
    host.send([rtnetlink.bridge("br-test", "02:11:22:33:44:55", 1400)])
    link = host.find_link("br-test")
    assert link is not None
    host.send(
        [
            rtnetlink.link_alias("br-test", "mine"),
            rtnetlink.link_address(link.index, "10.89.0.1", 24),
            rtnetlink.link_up(link.index),
        ]
    )
    seen = reader.link("get", index=link.index)[0]
    assert seen.get("address") == "02:11:22:33:44:55"
    assert (seen.get("mtu"), seen.get("ifalias"), seen["state"]) == (1400, "mine", "up")
    assert seen.get(("linkinfo", "kind")) == "bridge"
    address = next(iter(reader.addr("dump", index=link.index, family=AF_INET)))
    assert (address.get("address"), address["prefixlen"]) == ("10.89.0.1", 24)
    assert address.get("broadcast") == "10.89.0.255"
    assert host.find_link("br-test2") is host.find_link("br-test" * 9) is None


@needs_root
def test_an_address_may_be_given_twice(host: RouteSocket) -> None:
    for _ in range(2):
        host.send([rtnetlink.link_address(rtnetlink.LOOPBACK_INDEX, "10.89.0.1", 24)])


@needs_root
def test_a_veth_ends_in_the_other_namespace_with_hairpin_at_the_bridge(
    host: RouteSocket, reader: Any
) -> None:
    host.send([rtnetlink.bridge("br-test", "02:11:22:33:44:55", 1400)])
    master = host.find_link("br-test")
    assert master is not None
    inside = namespaces.new_network()
    try:
        pair = rtnetlink.veth(
            "veth0",
            "eth0",
            master=master.index,
            peer_mac="02:00:00:00:00:07",
            peer_namespace=inside,
            mtu=1400,
        )
        host.send([pair, rtnetlink.port_up("veth0")])
        port = reader.link("get", ifname="veth0")[0]
        assert port.get("master") == master.index
        slave = port.get("IFLA_LINKINFO").get("IFLA_INFO_SLAVE_DATA")
        assert slave.get("IFLA_BRPORT_MODE") == 1
        with namespaces.joined_network(inside), RouteSocket() as there:
            eth0 = there.find_link("eth0")
            assert eth0 is not None
            assert not eth0.up
            assert eth0.kind == "veth"
    finally:
        os.close(inside)


@needs_root
def test_routes_are_those_that_another_reader_sees(host: RouteSocket, reader: Any) -> None:
    host.send([rtnetlink.bridge("br-test", "02:11:22:33:44:55", 1400)])
    link = host.find_link("br-test")
    assert link is not None
    host.send(
        [
            rtnetlink.link_address(link.index, "10.89.0.1", 24),
            rtnetlink.link_up(link.index),
            rtnetlink.default_route("10.89.0.9", link.index),
        ]
    )
    reader.route("add", dst="10.8.0.0/16", gateway="10.89.0.7", table=77)
    ours = {(r.destination, r.prefix_length, r.on_link) for r in host.unicast_routes()}
    assert (bytes((10, 89, 0, 0)), 24, True) in ours
    assert (bytes(4), 0, False) in ours
    assert (bytes((10, 8, 0, 0)), 16, False) in ours  # of whichever table
    theirs = [r for r in reader.route("dump", family=AF_INET) if r["type"] == 1]
    assert len(ours) == len(theirs)


@needs_root
def test_an_absent_link_is_none(host: RouteSocket) -> None:
    assert host.find_link("nobody") is None


@needs_root
def test_a_refusal_tells_which_message_and_why_in_the_kernels_words(host: RouteSocket) -> None:
    good = rtnetlink.link_up(rtnetlink.LOOPBACK_INDEX)
    with pytest.raises(NetlinkError, match="message 2 of 3") as caught:
        host.send([good, rtnetlink.default_route("10.9.9.9", 1), good])
    assert caught.value.errno == errno.ENETUNREACH
    assert "gateway" in str(caught.value)


@needs_root
def test_a_socket_stays_usable_after_a_refusal(host: RouteSocket) -> None:
    for _ in range(3):
        with pytest.raises(NetlinkError):
            host.send([rtnetlink.link_up(4711)] * 5)
        assert next(link.name for link in host.links()) == "lo"


@given(st.lists(st.tuples(st.integers(1, 100), st.binary(max_size=40))))
def test_attributes_survive_packing(attributes: list[tuple[int, bytes]]) -> None:
    packed = b"".join(netlink.attribute(kind, data) for kind, data in attributes)
    assert list(netlink.iterate_attributes(packed)) == attributes


@given(st.binary(max_size=64))
def test_broken_attributes_end_the_reading(data: bytes) -> None:
    assert sum(4 + len(value) for _, value in netlink.iterate_attributes(data)) <= len(data) + 4


@needs_root
def test_links_that_go_together_leave_all_others_and_one_may_have_gone(host: RouteSocket) -> None:
    host.send([rtnetlink.bridge(name, MAC, 1500) for name in ("kept", "one", "two")])
    links = {link.name: link.index for link in host.links()}
    with host.removing_together():
        for index in (links["one"], 4711, links["two"]):
            host.remove_link(index)
        assert host.find_link("one") is not None
    assert {link.name for link in host.links()} == links.keys() - {"one", "two"}


@needs_root
def test_a_dump_during_which_something_changed_is_asked_for_again(host: RouteSocket) -> None:
    kept = {f"kept{number}" for number in range(40)}  # more than one datagram of the kernel's
    host.send([rtnetlink.bridge(name, MAC, 1500) for name in kept])
    done = threading.Event()

    def change() -> None:
        with RouteSocket() as other:
            while not done.is_set():
                other.send([rtnetlink.bridge("brief", MAC, 1500)])
                brief = other.find_link("brief")
                assert brief is not None
                other.remove_link(brief.index)

    changing = threading.Thread(target=change)
    changing.start()
    try:
        before = host.sequence
        for dumps in itertools.count(1):
            assert kept <= {link.name for link in host.links()}
            if host.sequence - before > dumps:
                break
    finally:
        done.set()
        changing.join()
