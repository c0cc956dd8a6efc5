"""Rules of nftables in words, beside what `nft` says of them."""

from __future__ import annotations

import pytest

from engine.kernel import nftexpressions as nft
from engine.kernel.nftables import NFPROTO_INET, NftSocket
from engine.kernel.nftbatch import Batch
from engine.network.trace.owners import owner_of
from engine.network.trace.rulewords import rule_text
from tests.engine.network.world import run
from tests.marks import needs_program, needs_root

AS_NFT = [
    'iifname "eth0" oifname "br-1" accept',
    'iifname != "eth0" drop',
    "ip saddr 10.1.2.3 ip daddr 10.0.0.0/8 drop",
    "ip daddr 10.1.0.0/20 drop",
    "ip6 saddr fd00::1 ip6 daddr fe80::/10 return",
    "ct state established,related accept",
    "ct state new jump other",
    "meta mark 0x00000007 continue",
    "goto other",
]
OTHERWISE = [
    ("tcp dport 80 counter packets 0 bytes 0 drop", "meta l4proto tcp dport 80 counter drop"),
    ("udp sport >= 1024 accept", "meta l4proto udp sport >= 1024 accept"),
    ("ip saddr { 10.1.0.1, 10.1.0.2 } drop", "ip saddr @__set0 drop"),
    ("ip saddr != { 10.1.0.1, 10.1.0.2 } drop", "ip saddr != @__set1 drop"),
    ("fib daddr type local accept", "fib type 2 accept"),
    ("limit rate 5/second accept", "limit accept"),
    ("reject", "reject"),
    ("meta mark set 0x00000007", "mark set"),
    ("ct mark set 0x00000007", "ct mark set"),
    ("tcp dport vmap { 80 : drop, 81 : accept }", "meta l4proto tcp dport @__map0"),
    ("quota 10 mbytes accept", "[quota] accept"),
]


@needs_root
@needs_program("nft")
def test_rules_read_as_nft_writes_them(host: None) -> None:
    run("nft", "add", "table", "inet", "words")
    for name in ("first", "other"):
        run("nft", "add", "chain", "inet", "words", name)
    given = [*((text, text) for text in AS_NFT), *OTHERWISE]
    for text, _ in given:
        run("nft", "add", "rule", "inet", "words", "first", text)
    with NftSocket() as netlink:
        rules = netlink.rules("words", "first", NFPROTO_INET)
    for rule, (text, meant) in zip(rules, given, strict=True):
        said = rule_text(rule.expressions)
        # nft leaves out what it put in itself: the family, where an address tells it
        for added in ("meta nfproto ipv4 ", "meta nfproto ipv6 "):
            said = said.replace(added, "")
        assert said == meant.replace("meta mark 0x00000007", "mark 7"), text


@needs_root
def test_a_rule_of_a_container_may_compare_more_than_it_has_loaded(host: None) -> None:
    batch = Batch("words", NFPROTO_INET)
    batch.add_table()
    batch.add_chain("first")
    longer = nft.compare(b"\x0a\1\2\3" + bytes(12))
    batch.add_rule("first", nft.immediate(bytes(16)), nft.load_source(nft.IPV4), longer)
    with NftSocket() as netlink:
        netlink.commit(batch)
        (rule,) = netlink.rules("words", "first", NFPROTO_INET)
    assert rule_text(rule.expressions) == "ip saddr 10.1.2.3"


@pytest.mark.parametrize(
    ("table", "chains", "owner"),
    [
        ("buoy-abc", [], "Buoy"),
        ("buoy", [], "another root of Buoy"),
        ("buoyant", [], "somebody else's table"),
        ("firewalld", [], "firewalld"),
        ("libvirt_network", [], "libvirt"),
        ("filter", ["FORWARD"], "iptables-nft"),
        ("nat", ["DOCKER", "POSTROUTING"], "iptables-nft (Docker)"),
        ("filter", ["ufw-user-forward", "DOCKER-USER"], "iptables-nft (Docker, ufw)"),
    ],
)
def test_a_table_is_known_by_its_names(table: str, chains: list[str], owner: str) -> None:
    assert owner_of(table, chains, "buoy-abc") == owner
