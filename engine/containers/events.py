"""What has become of containers, as commands and monitors have put it on record."""

from __future__ import annotations

import json

from engine.kernel.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Mapping
    from typing import Any

_SHOWN_DIGITS = 6  # of the fraction of a second


class Event(Record):
    """One thing that happened.

    at          seconds since the epoch
    action      create, start, die, stop, kill, restart, pause, unpause, oom, update, rename,
                exec_create, exec_die, destroy
    container   id; it may have been removed since
    labels      of the container
    attributes  name, exit_code, signal, command
    """

    at: float
    action: str
    container: str
    labels: Mapping[str, str]
    attributes: Mapping[str, Any]


def read_events(
    db: sqlite3.Connection, since_s: float | None, until_s: float | None
) -> Iterator[Event]:
    """Those of containers between two times, oldest first."""
    labels: dict[str, dict[str, str]] = {}
    rows = db.execute("SELECT * FROM events WHERE kind = 'container' ORDER BY rowid")
    for row in rows:
        attributes = json.loads(row["attributes"])
        if row["action"] == "create":
            labels[row["subject"]] = attributes.pop("labels", {})
        at_s = round(row["at"], _SHOWN_DIGITS)  # as it is shown, to be asked for by that
        if (since_s or 0.0) <= at_s and (until_s is None or at_s <= until_s):
            yield Event(
                at=row["at"],
                action=row["action"],
                container=row["subject"],
                labels=labels.get(row["subject"], {}),
                attributes=attributes,
            )
