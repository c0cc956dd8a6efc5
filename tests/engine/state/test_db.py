"""The database: its transactions, and what is left open where it cannot be used."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest

from engine.errors import Problem
from engine.state.db import open_database, transaction
from engine.state.paths import Roots
from engine.state.space import DiskFull, with_disk_problems


def test_a_full_disk_is_told_as_such_and_the_next_transaction_can_begin(tmp_path: Path) -> None:
    roots = Roots(str(tmp_path))
    with contextlib.closing(open_database(roots)) as database:
        pages = database.execute("PRAGMA page_count").fetchone()[0]
        database.execute(f"PRAGMA max_page_count = {pages + 4}")
        with pytest.raises(sqlite3.OperationalError, match="full") as caught:
            _insert(database, "x" * 100_000)
        assert isinstance(with_disk_problems(caught.value, roots.database), DiskFull)
        _insert(database, "small")
        assert database.execute("SELECT subject FROM events").fetchone()["subject"] == "small"


def test_what_fails_in_a_transaction_has_changed_nothing(tmp_path: Path) -> None:
    with contextlib.closing(open_database(Roots(str(tmp_path)))) as database:
        _insert(database, "kept")
        with pytest.raises(sqlite3.OperationalError, match="no such table"):
            _delete_all_and_more(database)
        assert database.execute("SELECT subject FROM events").fetchone()["subject"] == "kept"
        _insert(database, "another")


def test_a_database_that_cannot_be_used_is_closed_again(tmp_path: Path) -> None:
    roots = Roots(str(tmp_path))
    with contextlib.closing(sqlite3.connect(roots.database)) as database:
        database.execute("PRAGMA user_version = 99")
    with pytest.raises(Problem, match="newer Buoy"):
        open_database(roots)
    opened = [Path(f"/proc/self/fd/{fd.name}") for fd in Path("/proc/self/fd").iterdir()]
    assert not [fd for fd in opened if fd.is_symlink() and str(tmp_path) in str(fd.readlink())]


def _insert(database: sqlite3.Connection, subject: str) -> None:
    with transaction(database):
        database.execute("INSERT INTO events VALUES (0, 'k', 'a', ?, '{}')", (subject,))


def _delete_all_and_more(database: sqlite3.Connection) -> None:
    with transaction(database):
        database.execute("DELETE FROM events")
        database.execute("DELETE FROM nobody")
