"""A database that an earlier Buoy has written."""

from __future__ import annotations

import contextlib
import sqlite3
from typing import TYPE_CHECKING

from engine.network import records
from engine.state.db import SCHEMA_VERSION, open_database
from engine.state.paths import Roots

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA_1 = """
CREATE TABLE networks (id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, driver TEXT NOT NULL,
    bridge TEXT, subnet TEXT, subnet_given INTEGER NOT NULL DEFAULT 0, ip_range TEXT, gateway TEXT,
    last_address TEXT, internal INTEGER NOT NULL DEFAULT 0, labels TEXT NOT NULL,
    options TEXT NOT NULL, created_at REAL NOT NULL);
CREATE TABLE addresses (network_id TEXT NOT NULL REFERENCES networks (id) ON DELETE CASCADE,
    address TEXT NOT NULL, owner TEXT NOT NULL, container_id TEXT, released_at REAL,
    mac_address TEXT NOT NULL, interface TEXT NOT NULL, PRIMARY KEY (network_id, address),
    UNIQUE (network_id, owner));
CREATE INDEX addresses_container ON addresses (container_id);
INSERT INTO networks VALUES ('n', 'shop', 'bridge', 'br-n', '172.18.0.0/16', 0, NULL,
    '172.18.0.1', '172.18.0.2', 0, '{"a": "b"}', '{}', 1.5);
INSERT INTO addresses VALUES ('n', '172.18.0.2', 'shop/web/1', NULL, 2.5, '02:00:00:00:00:01',
    'eth0');
PRAGMA user_version = 1;
"""


def columns(database: sqlite3.Connection, table: str) -> list[tuple[object, ...]]:
    return [tuple(row)[1:] for row in database.execute(f"PRAGMA table_info({table})")]


def test_a_database_of_schema_1_is_brought_up_to_date_with_what_is_in_it(tmp_path: Path) -> None:
    old, fresh = Roots(str(tmp_path / "old")), Roots(str(tmp_path / "fresh"))
    (tmp_path / "old").mkdir()
    with contextlib.closing(sqlite3.connect(old.database)) as database:
        database.executescript(SCHEMA_1)
    with (
        contextlib.closing(open_database(old)) as database,
        contextlib.closing(open_database(fresh)) as model,
    ):
        for table in ("networks", "pools", "addresses"):
            assert columns(database, table) == columns(model, table)
        (network,) = records.all_by_name(database)
        (pool,) = network.pools
        assert (network.name, network.labels) == ("shop", {"a": "b"})
        assert (str(pool.subnet), str(pool.gateway)) == ("172.18.0.0/16", "172.18.0.1")
        (claim,) = database.execute("SELECT * FROM addresses").fetchall()
        assert (claim["family"], claim["owner"]) == (4, "shop/web/1")
        records.delete(database, "n")
        assert database.execute("SELECT count(*) FROM addresses").fetchone()[0] == 0
    with contextlib.closing(open_database(old)) as database:
        assert database.execute("PRAGMA user_version").fetchone()[0] == SCHEMA_VERSION
