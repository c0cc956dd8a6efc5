"""Who gets which address, and again."""

from __future__ import annotations

import time
from contextlib import closing
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from engine.errors import NetworkProblem
from engine.network import claims, records
from engine.network.claims import Claims, derive_mac
from engine.network.spec import NetworkSpec, Pool
from engine.state.db import open_database
from engine.state.paths import Roots

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator
    from pathlib import Path


class Addresses:
    """One network in a real database, and who is up on it."""

    def __init__(
        self,
        directory: str,
        subnet: str,
        ip_range: str | None = None,
        reserved: str | None = None,
    ) -> None:
        self.database = open_database(Roots(directory))
        self.up: set[str] = set()
        gateway = str(ip_address(subnet.split("/")[0]) + 1)
        self.pool = Pool(
            subnet=ip_network(subnet),
            is_given=True,
            ip_range=ip_network(ip_range) if ip_range else None,
            gateway=ip_address(gateway),
            reserved={"printer": ip_address(reserved)} if reserved else {},
        )
        records.insert(self.database, "n", NetworkSpec(name="net"), "br", [self.pool])
        self.network = records.all_by_name(self.database)[0]

    def claim(self, container: str, owner: str | None = None, fixed: str | None = None) -> str:
        book = Claims(self.database, self.network, self.pool, self.up.__contains__)
        return book.claim(container, owner or container, "eth0", fixed=fixed, mac=None)[0]

    def release(self, container: str) -> None:
        claims.release(self.database, container)

    def rows(self) -> list[sqlite3.Row]:
        return self.database.execute("SELECT * FROM addresses").fetchall()


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Addresses]:
    book = Addresses(str(tmp_path), "10.5.0.0/29")
    with closing(book.database):
        yield book


def test_addresses_are_handed_out_one_after_the_other(book: Addresses) -> None:
    assert [book.claim(name) for name in "abc"] == ["10.5.0.2", "10.5.0.3", "10.5.0.4"]
    book.release("b")
    assert book.claim("d") == "10.5.0.5"  # the freed one only when it is its turn
    assert book.claim("e") == "10.5.0.6"
    assert book.claim("f") == "10.5.0.3"


def test_a_container_keeps_its_address_when_it_asks_again(book: Addresses) -> None:
    assert book.claim("a") == book.claim("a")
    assert len(book.rows()) == 1


def test_an_owner_gets_its_address_again(book: Addresses) -> None:
    first = book.claim("old", "project/web/1")
    book.release("old")
    book.claim("other")
    assert book.claim("new", "project/web/1") == first


def test_a_stopped_container_gives_way_to_its_successor(book: Addresses) -> None:
    first = book.claim("old", "project/web/1")
    assert book.claim("new", "project/web/1") == first


def test_a_running_container_does_not(book: Addresses) -> None:
    first = book.claim("old", "project/web/1")
    book.up.add("old")
    second = book.claim("new", "project/web/1")
    assert second != first
    book.up.clear()
    assert book.claim("new", "project/web/1") == second  # what it has, it keeps


def test_remembered_addresses_go_oldest_first_when_no_other_is_left(book: Addresses) -> None:
    given_out = {name: book.claim(name, f"p/{name}/1") for name in "abcde"}
    for name in "cab":
        book.release(name)
        time.sleep(0.001)
    assert book.claim("x", "p/x/1") == given_out["c"]
    assert book.claim("y", "p/y/1") == given_out["a"]
    assert book.claim("b2", "p/b/1") == given_out["b"]
    book.up |= {"x", "y", "b2", "e"}
    assert book.claim("w") == given_out["d"]  # which does not run
    book.up.add("w")
    with pytest.raises(NetworkProblem, match=r"no address left in 10\.5\.0\.0/29") as caught:
        book.claim("z")
    assert caught.value.code == "addresses-exhausted"
    assert "10.5.0.2" in caught.value.what


def test_a_fixed_address_is_had_unless_its_holder_is_up(book: Addresses) -> None:
    assert book.claim("a", fixed="10.5.0.5") == "10.5.0.5"
    assert book.claim("b", fixed="10.5.0.5") == "10.5.0.5"  # `a` is not up
    book.up.add("b")
    with pytest.raises(NetworkProblem, match="in use by container b") as caught:
        book.claim("c", fixed="10.5.0.5")
    assert caught.value.code == "address-taken"


@pytest.mark.parametrize("wrong", ["10.5.0.0", "10.5.0.7", "10.6.0.2", "x", "10.5.0.1"])
def test_a_fixed_address_must_be_one_of_the_subnet(book: Addresses, wrong: str) -> None:
    with pytest.raises(NetworkProblem):
        book.claim("a", fixed=wrong)


def test_automatic_addresses_come_from_the_range_fixed_ones_need_not(tmp_path: Path) -> None:
    book = Addresses(str(tmp_path), "10.5.0.0/24", "10.5.0.192/30")
    with closing(book.database):
        taken = [book.claim(name) for name in "abcd"]
        assert taken == ["10.5.0.192", "10.5.0.193", "10.5.0.194", "10.5.0.195"]
        assert book.claim("e", fixed="10.5.0.9") == "10.5.0.9"
        book.up |= set("abcde")
        with pytest.raises(NetworkProblem):
            book.claim("f")


@given(st.uuids().map(str), st.ip_addresses(v=4).map(str))
def test_a_derived_mac_is_local_unicast_and_stays(network_id: str, address: str) -> None:
    mac = derive_mac(network_id, address)
    assert mac == derive_mac(network_id, address)
    assert int(mac[:2], 16) & 0b11 == 0b10


class ClaimsMachine(RuleBasedStateMachine):
    """Any order of starts, stops and removals: no address twice, none out of the subnet."""

    def __init__(self) -> None:
        super().__init__()
        import tempfile

        self.directory = tempfile.TemporaryDirectory()
        self.book = Addresses(self.directory.name, "10.5.0.0/29")

    def claims(self, container: str, owner: str | None, fixed: str | None = None) -> str:
        try:
            self.book.claim(container, owner, fixed)
        except NetworkProblem as problem:
            return problem.code
        self.book.up.add(container)
        return ""

    def teardown(self) -> None:
        self.book.database.close()
        self.directory.cleanup()

    @rule(container=st.sampled_from("abcdefgh"), owner=st.sampled_from(["p/1", "p/2", None]))
    def start(self, container: str, owner: str | None) -> None:
        if self.claims(container, owner) == "addresses-exhausted":
            assert len(self.book.rows()) == 5

    @rule(container=st.sampled_from("abcdefgh"), address=st.integers(2, 6))
    def start_fixed(self, container: str, address: int) -> None:
        assert self.claims(container, None, f"10.5.0.{address}") in ("", "address-taken")

    @rule(container=st.sampled_from("abcdefgh"))
    def stop(self, container: str) -> None:
        self.book.up.discard(container)

    @rule(container=st.sampled_from("abcdefgh"))
    def remove(self, container: str) -> None:
        self.book.up.discard(container)
        self.book.release(container)

    @invariant()
    def who_is_up_has_one_address_of_its_own(self) -> None:
        rows = self.book.rows()
        holders = [row["container_id"] for row in rows if row["container_id"]]
        assert len(set(holders)) == len(holders)
        assert self.book.up <= set(holders)
        assert all(ip_address(row["address"]) in self.book.pool.subnet for row in rows)
        assert "10.5.0.1" not in {row["address"] for row in rows}


TestClaimsMachine = ClaimsMachine.TestCase
TestClaimsMachine.settings = settings(max_examples=30, stateful_step_count=30, deadline=None)
