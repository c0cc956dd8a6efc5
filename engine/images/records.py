"""The rows of images, references and layers."""

from __future__ import annotations

import json
import os
import threading
import time
from contextlib import contextmanager

from engine.kernel.boot import boot_id
from engine.kernel.record import Record
from engine.state.db import open_database, transaction

TYPE_CHECKING = False  # `typing` takes 3 ms
if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Sequence

    from engine.state.paths import Roots


class LayerRow(Record):
    """One unpacked layer. `size_bytes` is that of its files; `blob_digest` of what was pulled."""

    chain_id: str
    diff_id: str
    parent: str | None
    blob_digest: str | None
    size_bytes: int


class Records:
    """One connection for all threads of a process, one thread at a time."""

    def __init__(self, roots: Roots) -> None:
        self._roots = roots
        self._lock = threading.RLock()
        self._opened: sqlite3.Connection | None = None

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """The connection, for reads."""
        with self._lock:
            if self._opened is None:
                self._opened = open_database(self._roots, any_thread=True)
            yield self._opened

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """The connection in a transaction."""
        with self.reading() as connection, transaction(connection):
            yield connection

    def close(self) -> None:
        """The connection goes; the next use opens another."""
        with self._lock:
            if self._opened is not None:
                self._opened.close()
                self._opened = None

    # Layers

    def find_layer(self, chain_id: str) -> LayerRow | None:
        """None also for one that may have been lost with the power (see `add_layer`)."""
        query = (
            "SELECT chain_id, diff_id, parent, blob_digest, size_bytes FROM layers"
            " WHERE chain_id = ? AND (unsynced_boot IS NULL OR unsynced_boot = ?)"
        )
        with self.reading() as connection:
            row = connection.execute(query, (chain_id, boot_id())).fetchone()
        return None if row is None else LayerRow(**dict(row))

    def add_layer(self, layer: LayerRow) -> None:
        """Record a layer whose files need not be on the disk yet.

        The row is good for the present boot; `add_image`, after a sync, makes it last.
        """
        with self.writing() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO layers VALUES (?, ?, ?, ?, ?, ?)",
                (
                    *(layer.chain_id, layer.diff_id, layer.parent, layer.blob_digest),
                    *(layer.size_bytes, boot_id()),
                ),
            )

    def set_layer_blob(self, chain_id: str, digest: str) -> None:
        """The compressed content of a layer is kept as the blob `digest` from now on."""
        with self.writing() as connection:
            connection.execute(
                "UPDATE layers SET blob_digest = ? WHERE chain_id = ?", (digest, chain_id)
            )

    def remove_layer(self, chain_id: str) -> None:
        """Forget a layer; accepts absence."""
        with self.writing() as connection:
            connection.execute("DELETE FROM layers WHERE chain_id = ?", (chain_id,))

    def layer_rows(self) -> list[LayerRow]:
        """Every layer on record."""
        query = "SELECT chain_id, diff_id, parent, blob_digest, size_bytes FROM layers"
        with self.reading() as connection:
            return [LayerRow(**dict(row)) for row in connection.execute(query)]

    def used_chain_ids(self) -> set[str]:
        """Those of images and of the build cache, without what lies below them."""
        with self.reading() as connection:
            images = connection.execute("SELECT chain_ids FROM images").fetchall()
        used = self.cached_chain_ids()
        for row in images:
            used.update(json.loads(row["chain_ids"]))
        return used

    def cached_chain_ids(self) -> set[str]:
        """Those of the build cache alone."""
        query = "SELECT chain_id FROM build_cache WHERE chain_id IS NOT NULL"
        with self.reading() as connection:
            return {row["chain_id"] for row in connection.execute(query)}

    # Images

    def add_image(
        self,
        image_id: str,
        config: str,
        chain_ids: Sequence[str],
        references: Sequence[str],
        *,
        manifest_digest: str | None = None,
        reference_digest: str | None = None,
    ) -> None:
        """Record an image whose layers are on the disk, and what it is called from now on."""
        layers = json.dumps(list(chain_ids))
        with self.writing() as connection:
            connection.execute(
                "UPDATE layers SET unsynced_boot = NULL"
                " WHERE chain_id IN (SELECT value FROM json_each(?))",
                (layers,),
            )
            connection.execute(
                "INSERT INTO images SELECT ?1, ?2, ?3, (SELECT coalesce(sum(size_bytes), 0)"
                " FROM layers WHERE chain_id IN (SELECT value FROM json_each(?3))), ?4, ?5 WHERE 1"
                " ON CONFLICT (id) DO UPDATE SET manifest_digest ="
                " coalesce(excluded.manifest_digest, manifest_digest)",
                (image_id, config, layers, manifest_digest, time.time()),
            )
            for reference in references:
                self._point(connection, reference, image_id, reference_digest)

    def set_manifest(self, image_id: str, digest: str) -> None:
        """The image's manifest is the blob `digest` from now on."""
        with self.writing() as connection:
            connection.execute(
                "UPDATE images SET manifest_digest = ? WHERE id = ?", (digest, image_id)
            )

    def add_reference(self, reference: str, image_id: str, digest: str | None = None) -> bool:
        """`reference` means `image_id` from now on; `digest` as for `add_image`. False where the
        image is gone."""
        query = "SELECT 1 FROM images WHERE id = ?"
        with self.writing() as connection:
            here = connection.execute(query, (image_id,)).fetchone() is not None
            if here:
                self._point(connection, reference, image_id, digest)
        return here

    def confirm_reference(self, reference: str, image_id: str, digest: str) -> None:
        """A registry has `digest` under this name now, which is what `image_id` is there. Nothing
        changes where the name means another image meanwhile, or none."""
        with self.writing() as connection:
            connection.execute(
                "UPDATE image_references SET digest = ?, updated_at = ?"
                " WHERE reference = ? AND image_id = ?",
                (digest, time.time(), reference, image_id),
            )

    def _point(
        self, connection: sqlite3.Connection, reference: str, image_id: str, digest: str | None
    ) -> None:
        connection.execute(
            "INSERT OR REPLACE INTO image_references VALUES (?, ?, ?, ?)",
            (reference, image_id, digest, time.time()),
        )

    def image_row(self, image_id: str) -> sqlite3.Row | None:
        """The row of one image."""
        with self.reading() as connection:
            row: sqlite3.Row | None = connection.execute(
                "SELECT * FROM images WHERE id = ?", (image_id,)
            ).fetchone()
        return row

    def image_ids(self, prefix: str = "") -> list[str]:
        """Ids whose hexadecimal digits begin with `prefix`, newest image first."""
        query = "SELECT id FROM images WHERE id LIKE ? ORDER BY created_at DESC, id"
        with self.reading() as connection:
            return [row["id"] for row in connection.execute(query, (f"sha256:{prefix}%",))]

    def references(self, image_id: str) -> tuple[str, ...]:
        """What an image is called, sorted."""
        query = "SELECT reference FROM image_references WHERE image_id = ? ORDER BY reference"
        with self.reading() as connection:
            return tuple(row["reference"] for row in connection.execute(query, (image_id,)))

    def find_reference(self, reference: str) -> sqlite3.Row | None:
        """Row (reference, image_id, digest, updated_at) of a complete name."""
        with self.reading() as connection:
            row: sqlite3.Row | None = connection.execute(
                "SELECT * FROM image_references WHERE reference = ?", (reference,)
            ).fetchone()
        return row

    def references_at(self, domain: str) -> list[sqlite3.Row]:
        """Rows (reference, manifest_digest) of all names at a registry: docker.io."""
        query = (
            "SELECT r.reference, i.manifest_digest FROM image_references r"
            " JOIN images i ON i.id = r.image_id"
            " WHERE substr(r.reference, 1, length(?1) + 1) = ?1 || '/'"
        )
        with self.reading() as connection:
            return connection.execute(query, (domain,)).fetchall()

    def find_digest(self, name: str, digest: str) -> str | None:
        """Id of the image that `name` (docker.io/library/mysql) was resolved to at `digest`."""
        query = (
            "SELECT r.image_id FROM image_references r JOIN images i ON i.id = r.image_id"
            " WHERE (r.digest = ?1 OR i.manifest_digest = ?1)"
            " AND substr(r.reference, 1, length(?2) + 1) IN (?2 || ':', ?2 || '@')"
        )
        with self.reading() as connection:
            row = connection.execute(query, (digest, name)).fetchone()
        return None if row is None else str(row["image_id"])

    def remove_reference(self, reference: str) -> None:
        """Forget a name; accepts absence."""
        with self.writing() as connection:
            connection.execute("DELETE FROM image_references WHERE reference = ?", (reference,))

    def remove_image(self, image_id: str, names: Sequence[str]) -> bool:
        """Forget an image and its names. False, and nothing is done, where it has others than
        `names` by now, or a container."""
        with self.writing() as connection:
            if not set(self.references(image_id)) <= set(names) or self.containers_of(image_id):
                return False
            connection.execute("DELETE FROM image_references WHERE image_id = ?", (image_id,))
            connection.execute("DELETE FROM images WHERE id = ?", (image_id,))
        return True

    def containers_of(self, image_id: str) -> list[str]:
        """Names of the containers that were made from an image, or mount it."""
        query = (
            "SELECT name FROM containers WHERE image_id = :id OR EXISTS ("
            " SELECT 1 FROM json_each(spec, '$.mounts')"
            " WHERE json_extract(value, '$.type') = 'image'"
            " AND json_extract(value, '$.source') = :id"
            ") ORDER BY name"
        )
        with self.reading() as connection:
            return [row["name"] for row in connection.execute(query, {"id": image_id})]

    def used_blobs(self) -> set[str]:
        """Digests of the configs, manifests and layers of all images."""
        query = (
            "SELECT id AS digest FROM images"
            " UNION SELECT manifest_digest FROM images"
            " UNION SELECT digest FROM image_references"
            " UNION SELECT blob_digest FROM layers"
        )
        with self.reading() as connection:
            return {row["digest"] for row in connection.execute(query) if row["digest"]}


def sync_filesystem(path: str) -> None:
    """All that was written to the filesystem of `path` is on the disk (syncfs(2))."""
    from engine.kernel.libc import KernelCallError, libc

    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if libc.syncfs(fd) < 0:
            raise KernelCallError("syncfs", path=path)
    finally:
        os.close(fd)
