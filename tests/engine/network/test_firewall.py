"""The table of an engine, as the `nft` program lists it, and its elements over time."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.network import names
from engine.network.firewall import Firewall, Publication, _read_publication
from tests.engine.network.world import run
from tests.marks import needs_program, needs_root

if TYPE_CHECKING:
    from collections.abc import Iterator

SUBNET = ("10.1.0.0", 16)
CHAINS = """
chain publish {
dnat ip to ip daddr . meta l4proto . th dport map @published_at
dnat ip to meta l4proto . th dport map @published
}
chain guard {
type filter hook prerouting priority raw; policy accept;
ip daddr 127.0.0.0/8 iifname != "lo" counter drop
}
chain prerouting {
type nat hook prerouting priority dstnat; policy accept;
fib daddr type local jump publish
}
chain output {
type nat hook output priority -100; policy accept;
fib daddr type local jump publish
}
chain postrouting {
type nat hook postrouting priority srcnat; policy accept;
oifname @bridges ip saddr 127.0.0.0/8 masquerade
oifname @bridges ip saddr @subnets ct status dnat masquerade
oifname != @bridges ip saddr @subnets masquerade
}
chain forward {
type filter hook forward priority filter; policy accept;
ct state established,related accept
iifname . oifname @pairs accept
iifname @internal counter drop
oifname @internal counter drop
oifname @bridges ct status dnat accept
oifname @bridges counter drop
iifname @uplinks oifname @uplinks counter drop
}
"""


@pytest.fixture
def firewall(host: None) -> Iterator[Firewall]:
    firewall = Firewall("buoy-test")
    firewall.ensure()
    yield firewall
    firewall.close()


def chains() -> str:
    text = run("nft", "list", "table", "ip", "buoy-test")
    text = re.sub(r" packets \d+ bytes \d+", "", text[text.index("chain publish") :])
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return "\n" + "\n".join(lines[:-1]) + "\n"


def publication(address: str, holder: str = "somebody", published: int = 8080) -> Publication:
    return Publication("tcp", "0.0.0.0", published, address, 80, holder)


@needs_root
@needs_program("nft")
def test_the_rules_read_as_meant_and_may_be_put_again(firewall: Firewall) -> None:
    assert chains() == CHAINS
    firewall.ensure()
    assert chains() == CHAINS


@needs_root
def test_a_network_is_added_twice_and_removed_twice(firewall: Firewall) -> None:
    for _ in range(2):
        firewall.add_network("br-one", SUBNET, internal=True)
        assert firewall.has_network("br-one")
    firewall.ensure()
    assert firewall.has_network("br-one")
    for _ in range(2):
        firewall.remove_network("br-one", SUBNET, internal=True)
        assert not firewall.has_network("br-one")
    for name in ("pairs", "internal", "subnets"):
        assert firewall.netlink.elements(firewall.table, name) == []


@needs_root
@needs_program("nft")
def test_flushed_rules_are_noticed(firewall: Firewall) -> None:
    firewall.add_network("br-one", SUBNET, internal=False)
    run("nft", "flush", "table", "ip", "buoy-test")
    assert not firewall.exists()
    assert not firewall.has_network("br-one")


@needs_root
def test_an_element_that_a_killed_monitor_left_is_replaced(firewall: Firewall) -> None:
    firewall.publish([publication("10.1.0.2", "dead")])
    firewall.publish([publication("10.1.0.3", "new"), publication("10.1.0.3", "new", 8081)])
    found = {p.published: (p.address, p.holder) for p in firewall.publications()}
    assert found == {8080: ("10.1.0.3", "new"), 8081: ("10.1.0.3", "new")}


@needs_root
def test_withdrawing_accepts_what_is_gone_already(firewall: Firewall) -> None:
    one, other = publication("10.1.0.2"), publication("10.1.0.2", published=8081)
    firewall.publish([one, other])
    firewall.withdraw([one])
    firewall.withdraw([one, other])
    assert firewall.publications() == []


@needs_root
def test_only_stale_elements_are_withdrawn(firewall: Firewall) -> None:
    alive = f"0123456789ab {names.identity(os.getpid())}"
    dead = f"0123456789ab {os.getpid()}.1"
    firewall.publish([publication("10.1.0.2", alive), publication("10.1.0.2", dead, 8081)])
    firewall.withdraw_stale(lambda holder: not names.is_alive(holder.split()[1]))
    assert [p.published for p in firewall.publications()] == [8080]


@needs_root
def test_the_table_is_removed_twice(firewall: Firewall) -> None:
    firewall.remove()
    firewall.remove()
    assert not firewall.exists()


addresses = st.ip_addresses(v=4).map(str)
ports = st.integers(1, 65535)


@given(st.sampled_from(["tcp", "udp"]), addresses, ports, addresses, ports)
def test_a_publication_survives_the_kernel_and_the_names_table(
    protocol: str, host_ip: str, published: int, address: str, target: int
) -> None:
    made = Publication(protocol, host_ip, published, address, target, "who")
    read = _read_publication(made.key, made.data, "who")
    parsed = Publication.parse(made.shown, address, "who")
    for other in (read, parsed):
        assert (other.shown, other.address) == (made.shown, made.address)
