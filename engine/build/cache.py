"""The build cache: steps by what they are made of (engine.md D7, E12).

A key is the digest of a record: the step, the layers below it and the content of what it reads.
Nothing of it is a name of a project, so projects share what is the same.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
import zlib
from typing import TYPE_CHECKING

from engine.kernel.boot import boot_id
from engine.kernel.record import Record
from engine.state.db import transaction

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping, Sequence
    from typing import Any

    Facts = Mapping[str, object]

_USE_GRAIN_S = 3600.0  # how exactly it is known when a step was last used
_MOST_FILES = 20_000  # in a record, to tell which one changed
_EXPLAINING = ("instruction", "files")  # the other fields say all that the result depends on


class Cached(Record):
    """What a step came to. `chain_id` None: it changed nothing. `created`: RFC 3339."""

    chain_id: str | None
    created: str


class StepCache:
    """The tables build_cache and build_steps. For the event loop's thread."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        self._used: set[str] = set()
        self.grown = False  # whether a step was added

    def find(self, key: str) -> Cached | None:
        """What the step came to, if its layer is still here and was not lost with the power."""
        row = self._database.execute(
            "SELECT c.chain_id, c.created FROM build_cache c"
            " LEFT JOIN layers l ON l.chain_id = c.chain_id"
            " AND (l.unsynced_boot IS NULL OR l.unsynced_boot = ?)"
            " WHERE c.key = ? AND (c.chain_id IS NULL OR l.chain_id IS NOT NULL)",
            (boot_id(), key),
        ).fetchone()
        if row is None:
            return None
        self._used.add(key)
        return Cached(chain_id=row["chain_id"], created=row["created"])

    def add(self, key: str, record: Facts, result: Cached) -> None:
        """Remember a step."""
        self.grown = self.grown or result.chain_id is not None
        self._used.add(key)
        text = json.dumps(record, sort_keys=True)
        with transaction(self._database) as database:
            database.execute(
                "INSERT OR REPLACE INTO build_cache (key, chain_id, record, created, used_at)"
                " VALUES (?, ?, ?, ?, ?)",
                (key, result.chain_id, text, result.created, time.time()),
            )

    def record(self, key: str) -> Facts | None:
        """What was remembered with `add_record`."""
        row = self._database.execute(
            "SELECT record FROM build_cache WHERE key = ?", (key,)
        ).fetchone()
        if row is None:
            return None
        self._used.add(key)
        return dict(json.loads(row["record"]))

    def add_record(self, key: str, record: Facts) -> None:
        """Remember something that is no step."""
        self.add(key, record, Cached(chain_id=None, created=""))

    def used(self) -> list[dict[str, Any]]:
        """What this build has found or added: key, chain_id, created and record of each step."""
        found = []
        for key in sorted(self._used):
            row = self._database.execute(
                "SELECT key, chain_id, created, record FROM build_cache WHERE key = ?", (key,)
            ).fetchone()
            if row is not None:
                found.append({**dict(row), "record": json.loads(row["record"])})
        return found

    def previous(self, place: str) -> Facts | None:
        """The record of what was built at a place the last time; empty where it was removed."""
        row = self._database.execute(
            "SELECT coalesce(c.record, '{}') AS record FROM build_steps s"
            " LEFT JOIN build_cache c ON c.key = s.key WHERE s.place = ?",
            (place,),
        ).fetchone()
        return None if row is None else dict(json.loads(row["record"]))

    def is_another(self, place: str, key: str) -> bool:
        """Whether something else was built at a place the last time."""
        row = self._database.execute(
            "SELECT key FROM build_steps WHERE place = ?", (place,)
        ).fetchone()
        return row is not None and row["key"] != key

    def note_use(self, places: Mapping[str, str]) -> None:
        """Remember which keys were used, and which of them at which place. A build that is as it
        was writes nothing: a commit waits for the disk, and one row may hold thousands of names."""
        now = time.time()
        with transaction(self._database) as database:
            database.executemany(
                "INSERT INTO build_steps VALUES (?, ?) ON CONFLICT (place)"
                " DO UPDATE SET key = excluded.key WHERE key != excluded.key",
                places.items(),
            )
            database.executemany(
                "UPDATE build_cache SET used_at = ? WHERE key = ? AND used_at < ?",
                [(now, key, now - _USE_GRAIN_S) for key in self._used],
            )


def key_of(record: Facts) -> str:
    """The digest of a record, without what is only there to explain it."""
    counted = {name: value for name, value in record.items() if name not in _EXPLAINING}
    return digest(json.dumps(counted, sort_keys=True))


def content_of(prints: Mapping[str, str]) -> dict[str, object]:
    """The part of a record that stands for files (path -> fingerprint)."""
    lines = "\0".join(f"{path}\0{prints[path]}" for path in sorted(prints))
    shown = list(prints.items())[:_MOST_FILES]
    return {
        "content": digest(lines),
        "files": {path: zlib.crc32(os.fsencode(fingerprint)) for path, fingerprint in shown},
    }


def merged_content(contents: Sequence[Mapping[str, object]]) -> dict[str, object]:
    """One such part of a record for several."""
    files: dict[str, object] = {}
    for content in contents:
        shown = content["files"]
        assert isinstance(shown, dict)  # content_of has made it
        files |= shown
    return {"content": digest(json.dumps([c["content"] for c in contents])), "files": files}


def place_of(*parts: str) -> str:
    """The name of a step's place: Dockerfile, stage, number."""
    return digest(json.dumps(parts))


def digest(text: str) -> str:
    """sha256 in hexadecimal."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
