"""The records of containers: rows of the database, found by name, id or part of an id."""

from __future__ import annotations

import json
import time

TYPE_CHECKING = False  # `typing` takes 3 ms
if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping, Sequence

_SHORTEST_PREFIX = 4
_EVENTS_KEPT = 10_000


def find_row(db: sqlite3.Connection, name_or_id: str) -> sqlite3.Row | None:
    """By name, id, or a prefix of an id that is the only one."""
    rows = db.execute(
        "SELECT * FROM containers WHERE id = ? OR name = ?", (name_or_id, name_or_id)
    ).fetchall()
    if not rows and len(name_or_id) >= _SHORTEST_PREFIX and name_or_id.isalnum():
        rows = db.execute(
            "SELECT * FROM containers WHERE id GLOB ? LIMIT 2", (f"{name_or_id}*",)
        ).fetchall()
    return rows[0] if len(rows) == 1 else None


def volumes_of(described: Mapping[str, Sequence[Mapping[str, str]]]) -> set[str]:
    """Names of the volumes that a recorded spec mounts."""
    return {mount["source"] for mount in described["mounts"] if mount["type"] == "volume"}


def users_of_volume(db: sqlite3.Connection, name: str) -> list[str]:
    """Names of the containers that mount a volume, stopped ones too."""
    rows = db.execute("SELECT name, spec FROM containers")
    return [row["name"] for row in rows if name in volumes_of(json.loads(row["spec"]))]


def note_event(
    db: sqlite3.Connection,
    action: str,
    subject: str,
    attributes: Mapping[str, object],
    kind: str = "container",
) -> None:
    """Add to the events: what has become of a container (or another kind of thing) just now."""
    db.execute(
        "INSERT INTO events (at, kind, action, subject, attributes) VALUES (?, ?, ?, ?, ?)",
        (time.time(), kind, action, subject, json.dumps(attributes)),
    )


def forget_old_events(db: sqlite3.Connection) -> None:
    """All but the last so many."""
    db.execute(
        "DELETE FROM events WHERE rowid <= (SELECT max(rowid) FROM events) - ?", (_EVENTS_KEPT,)
    )
