"""The SQLite database of one engine."""

from __future__ import annotations

import contextlib
import os
import sqlite3

from engine.errors import Problem
from engine.state.reserve import keep_reserve, release_reserve

TYPE_CHECKING = False  # `typing` takes 3 ms
if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.state.paths import Roots

SCHEMA_VERSION = 3
BUSY_TIMEOUT_S = 10.0


def open_database(roots: Roots, *, any_thread: bool = False) -> sqlite3.Connection:
    """The engine's database, made if it is not there yet. Rows are `sqlite3.Row`.

    The connection is in autocommit mode: reads need no transaction, writes go through
    `transaction`. With `any_thread`, the caller sees to it that one thread at a time uses the
    connection.

    Raises Problem where the database was written by a newer Buoy.
    """
    os.makedirs(roots.root, mode=0o711, exist_ok=True)
    connection = sqlite3.connect(
        roots.database,
        timeout=BUSY_TIMEOUT_S,
        isolation_level=None,
        check_same_thread=not any_thread,
    )
    try:
        _prepare(connection, roots)
    except BaseException:
        connection.close()
        raise
    return connection


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """A write transaction, taken at once, so that two commands cannot both read and then write."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield connection
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # SQLite has rolled it back itself where the disk is full
            connection.execute("ROLLBACK")
        raise


def _prepare(connection: sqlite3.Connection, roots: Roots) -> None:
    connection.row_factory = sqlite3.Row
    version = _version(connection, roots)
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA foreign_keys = ON")
    if version < SCHEMA_VERSION:
        _bring_up_to_date(connection, roots)
    elif version > SCHEMA_VERSION:
        raise Problem(
            f"{roots.database} was written by a newer Buoy (schema {version})",
            hint="upgrade Buoy, or give another --root",
            code="newer-state",
        )
    keep_reserve(roots.root)


def _version(connection: sqlite3.Connection, roots: Roots) -> int:
    """That of the schema; 0: there is none yet."""
    try:
        return _ask_version(connection)
    except sqlite3.OperationalError:  # its index takes 32 KiB, which a full disk has not got
        if not release_reserve(roots.root):
            raise
        return _ask_version(connection)


def _ask_version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _bring_up_to_date(connection: sqlite3.Connection, roots: Roots) -> None:
    """The whole schema where there is none yet, else the upgrades that it lacks."""
    os.chmod(roots.database, 0o600)
    connection.execute("PRAGMA journal_mode = WAL")
    with transaction(connection):
        version = _ask_version(connection)  # under the lock
        if version == 0:
            from engine.state.spreading import create_spreading

            create_spreading(roots.temporary, 0o700)
            create_spreading(f"{roots.root}/containers", 0o711)
            _run(connection, "schema.sql")
        else:
            for number in range(version + 1, SCHEMA_VERSION + 1):
                _run(connection, f"upgrades/{number}.sql")
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def _run(connection: sqlite3.Connection, name: str) -> None:
    with open(os.path.join(os.path.dirname(__file__), name), encoding="utf-8") as file:
        statements = file.read()
    for statement in statements.split(";\n"):
        connection.execute(statement)
