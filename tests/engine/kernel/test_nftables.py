"""nftables by hand, read back by the `nft` program."""

from __future__ import annotations

import errno
import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from engine.kernel import nftexpressions as nft
from engine.kernel.netlink import NetlinkError
from engine.kernel.nftables import ERESTART, NftSocket
from engine.kernel.nftbatch import (
    HOOK_FORWARD,
    TYPE_INTERFACE,
    TYPE_IPV4,
    TYPE_PORT,
    TYPE_PROTOCOL,
    Batch,
)
from tests.engine.network.world import private_host
from tests.marks import needs_program, needs_root

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [needs_root, needs_program("nft")]
KEY = b"\x06\0\0\0\x1f\x90\0\0"  # tcp . 8080
TARGET = b"\x0a\0\0\x02\0\x50\0\0"  # 10.0.0.2 . 80


@pytest.fixture
def netlink() -> Iterator[NftSocket]:
    with private_host(), NftSocket() as netlink:
        yield netlink


def listed() -> list[dict[str, Any]]:
    done = subprocess.run(["nft", "-j", "list", "ruleset"], check=True, capture_output=True)
    found: list[dict[str, Any]] = json.loads(done.stdout)["nftables"]
    return found


def of_kind(kind: str) -> list[Any]:
    return [entry[kind] for entry in listed() if kind in entry]


def base() -> Batch:
    batch = Batch("test")
    batch.add_table()
    batch.add_set("links", [TYPE_INTERFACE])
    batch.add_set("ranges", [TYPE_IPV4], interval=True)
    batch.add_set("ports", [TYPE_PROTOCOL, TYPE_PORT], [TYPE_IPV4, TYPE_PORT])
    batch.add_chain("forward", "filter", HOOK_FORWARD, 5)
    return batch


def test_sets_maps_and_ranges_mean_to_nft_what_they_mean_to_us(netlink: NftSocket) -> None:
    batch = base()
    batch.add_elements("links", [(nft.interface_name("eth0"), b"", "the first")])
    batch.add_elements("ranges", [((b"\x0a\1\0\0", b"\x0a\2\0\0"), b"", "")])
    batch.add_elements("ports", [(KEY, TARGET, "who")])
    netlink.commit(batch)
    sets = {one["name"]: one for one in (*of_kind("set"), *of_kind("map"))}
    assert sets["links"]["elem"] == [{"elem": {"val": "eth0", "comment": "the first"}}]
    assert sets["ranges"]["elem"] == [{"prefix": {"addr": "10.1.0.0", "len": 16}}]
    (key, target) = sets["ports"]["elem"][0]
    assert key["elem"] == {"val": {"concat": ["tcp", 8080]}, "comment": "who"}
    assert target == {"concat": ["10.0.0.2", 80]}


def test_what_is_added_is_read_back(netlink: NftSocket) -> None:
    batch = base()
    batch.add_elements("ports", [(KEY, TARGET, "who")])
    netlink.commit(batch)
    (found,) = netlink.elements("test", "ports")
    assert (found.key, found.data, found.comment) == (KEY, TARGET, "who")
    assert netlink.has_element("test", "ports", KEY)
    assert not netlink.has_element("test", "ports", b"\x11" + KEY[1:])
    assert not netlink.has_element("test", "links", nft.interface_name("eth0"))
    (chain,) = netlink.chains()
    assert (chain.table, chain.name, chain.hook, chain.drops) == ("test", "forward", 2, False)


def test_absent_things_are_empty_not_errors(netlink: NftSocket) -> None:
    assert netlink.elements("nowhere", "ports") == []
    assert netlink.rules("nowhere", "forward") == []
    assert not netlink.has_element("nowhere", "ports", KEY)


def test_a_batch_with_one_bad_change_changes_nothing(netlink: NftSocket) -> None:
    netlink.commit(base())
    batch = Batch("test")
    batch.add_elements("ports", [(KEY, TARGET, "")])
    batch.add_rule("no-such-chain", nft.ACCEPT)
    with pytest.raises(NetlinkError) as caught:
        netlink.commit(batch)
    assert caught.value.errno == errno.ENOENT
    assert netlink.elements("test", "ports") == []


def test_the_same_element_with_other_data_is_refused(netlink: NftSocket) -> None:
    batch = base()
    batch.add_elements("ports", [(KEY, TARGET, "")])
    netlink.commit(batch)
    other = Batch("test")
    other.add_elements("ports", [(KEY, b"\x0b" + TARGET[1:], "")])
    with pytest.raises(NetlinkError) as caught:
        netlink.commit(other)
    assert caught.value.errno == errno.EEXIST


def test_ten_thousand_elements_in_one_batch(netlink: NftSocket) -> None:
    batch = base()
    keys = [b"\x06\0\0\0" + n.to_bytes(2, "big") + b"\0\0" for n in range(1, 10_001)]
    batch.add_elements("ports", [(key, TARGET, "a comment") for key in keys])
    netlink.commit(batch)
    assert len(netlink.elements("test", "ports")) == 10_000


def test_a_batch_for_an_older_generation_is_refused(netlink: NftSocket) -> None:
    netlink.commit(base())
    generation = netlink.generation()
    changed = Batch("test")
    changed.add_elements("ports", [(KEY, TARGET, "")])
    netlink.commit(changed)
    removal = Batch("test")
    removal.remove_elements("ports", [KEY])
    with pytest.raises(NetlinkError) as caught:
        netlink.commit(removal, generation=generation)
    assert caught.value.errno == ERESTART
    netlink.commit(removal, generation=netlink.generation())
    assert netlink.elements("test", "ports") == []


def test_a_rule_is_found_by_its_handle_and_removed(netlink: NftSocket) -> None:
    batch = base()
    batch.add_rule("forward", nft.iif_in("links") + nft.counter() + nft.DROP)
    batch.add_rule("forward", nft.ct_dnat() + nft.ACCEPT, first=True)
    netlink.commit(batch)
    assert len(of_kind("rule")) == 2
    first, second = netlink.rules("test", "forward")
    assert b"lookup" in second.expressions
    removal = Batch("test")
    removal.remove_rule("forward", first.handle)
    netlink.commit(removal)
    (left,) = netlink.rules("test", "forward")
    assert left.handle == second.handle
