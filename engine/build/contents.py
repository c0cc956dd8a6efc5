"""What the build cache holds: layers that steps made, and directories beside them."""

from __future__ import annotations

import contextlib
import json
import os
import stat
from datetime import datetime
from typing import TYPE_CHECKING

from engine.kernel.record import Record

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

    from engine.engine import Engine

# Below the cache, each with what BuildKit calls its kind.
DIRECTORIES = {
    "build-mounts": "exec.cachemount",
    "downloads": "source.http",
    "git": "source.git.checkout",
}
_NEVER = 0.0
_STEPS = (
    "SELECT chain_id, json_extract(record, '$.instruction') AS instruction,"
    " min(created) AS created, max(used_at) AS used_at"
    " FROM build_cache WHERE chain_id IS NOT NULL GROUP BY chain_id"
)


class CacheEntry(Record):
    """One thing that may be removed.

    id           a layer's chain id, or the path of a directory
    kind         regular, for a layer; exec.cachemount, source.http, source.git.checkout
    description  the instruction that it came of
    created_at   seconds since the epoch, as `used_at`: to the hour
    shared       an image has the layer, too: to remove it frees nothing
    """

    id: str
    kind: str
    description: str
    size_bytes: int
    created_at: float
    used_at: float
    shared: bool


class Layer(Record):
    """One layer of the store. `entry`: of a step that is remembered; None for what lies below
    one, or an image, and came of no step."""

    chain_id: str
    parent: str
    size_bytes: int
    entry: CacheEntry | None
    shared: bool


def layers(engine: Engine) -> dict[str, Layer]:
    """Every layer, by chain id."""
    shared = _of_images(engine)
    steps = {row["chain_id"]: row for row in engine.db.execute(_STEPS)}
    rows = engine.db.execute("SELECT chain_id, parent, size_bytes FROM layers").fetchall()
    found = {}
    for row in rows:
        chain = row["chain_id"]
        entry = _entry(row, steps[chain], chain in shared) if chain in steps else None
        found[chain] = Layer(
            chain_id=chain,
            parent=row["parent"] or "",
            size_bytes=row["size_bytes"],
            entry=entry,
            shared=chain in shared,
        )
    return found


def directories(engine: Engine) -> list[CacheEntry]:
    """What steps keep beside layers: cache mounts, downloads, checkouts."""
    return [entry for name, kind in DIRECTORIES.items() for entry in _beside(engine, name, kind)]


def cache_entries(engine: Engine) -> list[CacheEntry]:
    """All that the cache holds, longest unused first."""
    of_layers = [layer.entry for layer in layers(engine).values() if layer.entry is not None]
    return sorted([*of_layers, *directories(engine)], key=lambda entry: entry.used_at)


def _of_images(engine: Engine) -> set[str]:
    rows = engine.db.execute("SELECT chain_ids FROM images").fetchall()
    return {chain for row in rows for chain in json.loads(row["chain_ids"])}


def _entry(layer: sqlite3.Row, step: sqlite3.Row, shared: bool) -> CacheEntry:
    return CacheEntry(
        id=layer["chain_id"],
        kind="regular",
        description=step["instruction"] or "",
        size_bytes=layer["size_bytes"],
        created_at=datetime.fromisoformat(step["created"]).timestamp(),
        used_at=step["used_at"],
        shared=shared,
    )


def _beside(engine: Engine, name: str, kind: str) -> Iterator[CacheEntry]:
    above = f"{engine.roots.cache}/{name}"
    for child in sorted(os.listdir(above)) if os.path.isdir(above) else ():
        path = f"{above}/{child}"
        found = os.lstat(path)
        if not stat.S_ISDIR(found.st_mode):
            continue  # a lock
        yield CacheEntry(
            id=path,
            kind=kind,
            description="",
            size_bytes=size_of(path),
            created_at=_NEVER,
            used_at=found.st_mtime,
            shared=False,
        )


def size_of(directory: str) -> int:
    """Bytes of the files below, each counted once."""
    sizes: dict[tuple[int, int], int] = {}
    for path, _, names in os.walk(directory):
        for name in names:
            with contextlib.suppress(FileNotFoundError):  # a step that runs has removed it
                found = os.lstat(f"{path}/{name}")
                sizes[found.st_dev, found.st_ino] = found.st_size
    return sum(sizes.values())
