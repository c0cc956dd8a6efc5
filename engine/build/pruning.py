"""What goes when the build cache is pruned, and how: the longest unused first."""

from __future__ import annotations

import os
import time
from collections import Counter
from typing import TYPE_CHECKING

from engine.build.contents import directories, layers
from engine.build.contexts import DIGESTS
from engine.kernel.record import Record
from engine.kernel.removal import remove_tree
from engine.state.db import transaction

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from engine.build.contents import CacheEntry, Layer
    from engine.engine import Engine

_MOST_BYTES = 10_000_000_000
_OLD_S = 30 * 24 * 3600.0


class Pruned(Record):
    """What is gone, and how much of the disk is free again."""

    entries: tuple[CacheEntry, ...]
    freed_bytes: int


def prune_cache(
    engine: Engine,
    *,
    shared: bool = False,
    unused_since: float | None = None,
    keep_bytes: int | None = None,
) -> Pruned:
    """Remove from the build cache, longest unused first.

    shared        also steps whose layers images have: it frees nothing, they are run again
    unused_since  seconds since the epoch: only what was not used after it
    keep_bytes    only until no more than that are left

    While somebody builds or pulls, layers stay until a later sweep, and directories for good.
    """
    known = layers(engine)
    shelf = _Shelf(known)
    with engine.images.alone() as alone:
        beside = directories(engine) if alone else []
        if alone:
            _forget_digests(engine, 0.0 if shared else _OLD_S)
        held = shelf.held_bytes + sum(entry.size_bytes for entry in beside)
        gone = []
        freed = 0
        for entry in _oldest_first(known, beside):
            if keep_bytes is not None and held - freed <= keep_bytes:
                break
            late = unused_since is not None and entry.used_at > unused_since
            if late or (entry.shared and not shared):
                continue
            gone.append(entry)
            if entry.kind == "regular":
                freed += shelf.forget(entry.id)
            else:
                remove_tree(entry.id)
                freed += entry.size_bytes
    if gone:
        _forget_steps(engine, [entry.id for entry in gone if entry.kind == "regular"])
        engine.images.sweep()
    return Pruned(entries=tuple(gone), freed_bytes=freed)


class _Shelf:
    """Layers that only the cache keeps: one stays while a step, or a layer on it, needs it."""

    def __init__(self, known: Mapping[str, Layer]) -> None:
        self._known = known
        self._needs: Counter[str] = Counter()
        for layer in known.values():
            if layer.entry is not None:
                self._hold(layer.chain_id)
        self.held_bytes = sum(known[chain].size_bytes for chain in self._needs if self._own(chain))

    def _hold(self, chain: str) -> None:
        """One more that needs it; the first one holds what lies below, too."""
        while chain in self._known:
            self._needs[chain] += 1
            if self._needs[chain] > 1:
                return
            chain = self._known[chain].parent

    def forget(self, chain: str) -> int:
        """The bytes that are free when its step is forgotten."""
        freed = 0
        while chain in self._known:
            self._needs[chain] -= 1
            if self._needs[chain]:
                break
            freed += self._known[chain].size_bytes if self._own(chain) else 0
            chain = self._known[chain].parent
        return freed

    def _own(self, chain: str) -> bool:
        return not self._known[chain].shared


def _oldest_first(known: Mapping[str, Layer], beside: Iterable[CacheEntry]) -> list[CacheEntry]:
    """A step is as new as those on it, and goes after them: it would not be free before."""
    used_at: dict[str, float] = {}
    entries = [layer.entry for layer in known.values() if layer.entry is not None]
    for entry in entries:
        chain = entry.id
        while chain in known and used_at.get(chain, 0) < entry.used_at:
            used_at[chain] = entry.used_at
            chain = known[chain].parent
    ranked = [(used_at[entry.id], -_depth(known, known[entry.id]), entry) for entry in entries]
    ranked += [(entry.used_at, 0, entry) for entry in beside]
    return [entry for *_, entry in sorted(ranked, key=lambda rank: rank[:2])]


def _depth(known: Mapping[str, Layer], layer: Layer) -> int:
    depth = 0
    while layer.parent in known:
        layer, depth = known[layer.parent], depth + 1
    return depth


def _forget_steps(engine: Engine, chains: Sequence[str]) -> None:
    """Those of the layers, and those that have none any more, or never had and are old."""
    with transaction(engine.db) as database:
        database.executemany(
            "DELETE FROM build_cache WHERE chain_id = ?", [(chain,) for chain in chains]
        )
        database.execute(
            "DELETE FROM build_cache WHERE used_at < ? AND chain_id IS NULL"
            " OR chain_id NOT IN (SELECT chain_id FROM layers)",
            (time.time() - _OLD_S,),
        )


def _forget_digests(engine: Engine, unused_s: float) -> None:
    """What is known of the files of contexts, which are read again for it; and what of that killed
    commands have half written."""
    directory = f"{engine.roots.cache}/{DIGESTS}"
    for name in os.listdir(directory) if os.path.isdir(directory) else ():
        found = os.stat(f"{directory}/{name}")
        if max(found.st_atime, found.st_mtime) <= time.time() - unused_s:
            os.unlink(f"{directory}/{name}")


def default_limit_bytes(engine: Engine) -> int:
    """How large the cache may grow: ten gigabytes, or a tenth of the disk if that is less."""
    disk = os.statvfs(engine.roots.root)
    return min(_MOST_BYTES, disk.f_blocks * disk.f_frsize // 10)
