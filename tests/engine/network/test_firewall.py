"""The table of an engine, as the `nft` program lists it, and its elements over time."""

from __future__ import annotations

import os
import re
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from engine.kernel.netlink import attribute
from engine.kernel.nftables import Element
from engine.kernel.nftexpressions import IPV4, IPV6, value
from engine.network import names
from engine.network.firewall import Firewall
from engine.network.publication import Publication
from engine.network.ruleset import RULES
from engine.network.spec import Network, Pool
from tests.engine.network.world import run
from tests.marks import needs_program, needs_root

if TYPE_CHECKING:
    from collections.abc import Iterator

BOTH = (IPV4, IPV6)
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
oifname != @bridges snat to ip saddr map @sources
oifname != @bridges ip saddr @masqueraded masquerade
}
chain forward {
type filter hook forward priority filter; policy accept;
ct state established,related accept
iifname . oifname @pairs accept
iifname @internal counter drop
oifname @internal counter drop
iifname @bridges oifname != @bridges jump apart
oifname @bridges ct status dnat accept
oifname @unprotected accept
oifname @bridges ip daddr . meta l4proto . th dport @opened accept
oifname @bridges counter drop
iifname @uplinks oifname @uplinks counter drop
}
"""

CHAINS6 = """
chain publish {
dnat ip6 to ip6 daddr . meta l4proto . th dport map @published_at
dnat ip6 to meta l4proto . th dport map @published
}
chain prerouting {
type nat hook prerouting priority dstnat; policy accept;
ip6 saddr fe80::/10 return
fib daddr type local jump publish
}
chain output {
type nat hook output priority -100; policy accept;
ip6 daddr ::1 return
fib daddr type local jump publish
}
chain postrouting {
type nat hook postrouting priority srcnat; policy accept;
oifname @bridges ip6 saddr @subnets ct status dnat masquerade
oifname != @bridges snat to ip6 saddr map @sources
oifname != @bridges ip6 saddr @masqueraded masquerade
}
""" + CHAINS[CHAINS.index("chain forward") :].replace("ip daddr", "ip6 daddr")


@pytest.fixture
def firewall(host: None) -> Iterator[Firewall]:
    firewall = Firewall("buoy-test")
    for header in BOTH:
        firewall.ensure(header)
    yield firewall
    firewall.close()


def network(*, internal: bool = False) -> Network:
    """On `br-one`, with both IP versions."""
    pools = (("10.1.0.0/16", "10.1.0.1"), ("fd00:1::/64", "fd00:1::1"))
    return Network(
        id="1" * 64,
        name="one",
        driver="bridge",
        device="br-one",
        pools=tuple(
            Pool(
                subnet=ip_network(subnet),
                is_given=True,
                ip_range=None,
                gateway=ip_address(gateway),
            )
            for subnet, gateway in pools
        ),
        internal=internal,
        labels={},
        options={},
        created_at=0,
    )


def chains(family: str) -> str:
    text = run("nft", "list", "table", family, "buoy-test")
    text = re.sub(r" packets \d+ bytes \d+", "", text[text.index("chain publish") :])
    text = re.sub(r' comment "[^"]+"', "", text)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return "\n" + "\n".join(lines[:-1]) + "\n"


def publication(address: str, holder: str = "somebody", published: int = 8080) -> Publication:
    host_ip = "::" if ":" in address else "0.0.0.0"
    return Publication("tcp", host_ip, published, address, 80, holder)


@needs_root
@needs_program("nft")
def test_the_rules_read_as_meant_and_may_be_put_again(firewall: Firewall) -> None:
    for _ in range(2):
        assert chains("ip") == CHAINS
        assert chains("ip6") == CHAINS6
        for header in BOTH:
            firewall.ensure(header)


@needs_root
@needs_program("nft")
def test_each_rule_says_what_it_is_for(firewall: Firewall) -> None:
    listed = run("nft", "list", "table", "ip", "buoy-test")
    rules = [rule for found in RULES[IPV4.family].values() for rule in found]
    assert len(re.findall(r' comment "', listed)) == len(rules)
    assert 'counter packets 0 bytes 0 drop comment "out of an internal network"' in listed


@needs_root
def test_a_network_is_added_twice_and_removed_twice(firewall: Firewall) -> None:
    one = network(internal=True)
    for _ in range(2):
        firewall.add_network(one, BOTH)
        assert firewall.has_network(one)
    firewall.ensure(IPV4)
    assert firewall.has_network(one)
    for _ in range(2):
        firewall.remove_network(one)
        assert not firewall.has_network(one)
    for name in ("pairs", "internal", "subnets"):
        for header in BOTH:
            assert firewall.netlink.elements(firewall.table, name, header.family) == []


@needs_root
@needs_program("nft")
def test_flushed_rules_are_noticed(firewall: Firewall) -> None:
    firewall.add_network(network(), BOTH)
    assert firewall.has_network(network())
    run("nft", "flush", "table", "ip6", "buoy-test")
    assert firewall.exists(IPV4)
    assert not firewall.exists(IPV6)
    assert not firewall.has_network(network())


@needs_root
def test_an_element_that_a_killed_monitor_left_is_replaced(firewall: Firewall) -> None:
    firewall.publish([publication("10.1.0.2", "dead"), publication("fd00:1::2", "dead")])
    firewall.publish(
        [
            publication("10.1.0.3", "new"),
            publication("10.1.0.3", "new", 8081),
            publication("fd00:1::3", "new"),
        ]
    )
    found = {(p.published, p.address, p.holder) for p in firewall.publications()}
    assert found == {
        (8080, "10.1.0.3", "new"),
        (8081, "10.1.0.3", "new"),
        (8080, "fd00:1::3", "new"),
    }


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


ports = st.integers(1, 65535)
ipv4, ipv6 = st.ip_addresses(v=4).map(str), st.ip_addresses(v=6).map(str)
address_pairs = st.tuples(ipv4, ipv4) | st.tuples(ipv6, ipv6)


@given(st.sampled_from(["tcp", "udp", "sctp"]), address_pairs, ports, ports)
def test_a_publication_survives_the_kernel_and_the_names_table(
    protocol: str, addresses: tuple[str, str], published: int, target: int
) -> None:
    host_ip, address = addresses
    assume(host_ip != address)  # else it is one that is only let through
    made = Publication(protocol, host_ip, published, address, target, "who")
    values = [value(1, made.key), value(2, made.data)]
    element = Element(b"".join(values) + attribute(6, b"\x00\x04who\0"))
    read = Publication.of_element(element, made.header)
    other_family = "fd00::9" if ":" not in address else "10.0.0.9"
    parsed = Publication.parse(made.shown, (other_family, address), "who")
    for other in (read, parsed):
        assert other is not None
        assert ip_address(other.host_ip) == ip_address(made.host_ip)
        assert (other.published, other.target) == (published, target)
        assert (ip_address(other.address), other.holder) == (ip_address(address), "who")
