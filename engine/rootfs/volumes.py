"""Named and anonymous volumes: directories that outlive containers."""

from __future__ import annotations

import json
import os
import time

from engine.errors import VolumeProblem
from engine.kernel.record import Record
from engine.kernel.removal import remove_tree
from engine.state.db import transaction
from engine.state.paths import ensure_directory
from engine.state.reserve import making_room

TYPE_CHECKING = False  # `typing` takes 3 ms
if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable, Mapping

    from engine.state.paths import Roots


class Volume(Record):
    """A volume that exists. path: the directory its content is in."""

    name: str
    path: str
    driver: str = "local"
    labels: Mapping[str, str] = {}
    options: Mapping[str, str] = {}
    anonymous: bool = False
    created_at: float = 0.0


class Volumes:
    """The volumes of one engine.

    users  names of the containers that mount a volume, to refuse its removal
    """

    def __init__(
        self, roots: Roots, db: sqlite3.Connection, users: Callable[[str], list[str]]
    ) -> None:
        self._roots, self._db, self._users = roots, db, users

    def create(
        self,
        name: str | None = None,
        *,
        driver: str = "local",
        options: Mapping[str, str] | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> Volume:
        """Make a volume, or return the one of that name; without a name it is an anonymous one.

        Raises VolumeProblem as `check`.
        """
        import secrets

        self.check(name or "", driver, options)
        anonymous = name is None
        name = name or secrets.token_hex(32)
        path = self._roots.volume(name)
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)  # CVE-2021-41091
        ensure_directory(path, 0o755)
        with transaction(self._db) as db:
            db.execute(
                "INSERT OR IGNORE INTO volumes"
                " (name, driver, labels, options, anonymous, created_at) VALUES (?, ?, ?, ?, ?, ?)",
                (
                    name,
                    driver,
                    json.dumps(dict(labels or {})),
                    json.dumps(dict(options or {})),
                    anonymous,
                    time.time(),
                ),
            )
        return self.get(name)

    def check(self, name: str, driver: str, options: Mapping[str, str] | None = None) -> None:
        """Whether a volume could be made.

        Raises VolumeProblem for another driver than `local`, options that it does not have, and
        for what cannot be a name.
        """
        if driver == "local" and options:
            from engine.rootfs.elsewhere import check_options

            check_options(name, options)
        if driver != "local":
            raise VolumeProblem(
                f"volume {name}: there is no volume driver `{driver}`",
                hint="leave out `driver`: `local` has options for what is elsewhere",
                code="volume-driver",
            )
        if name:
            _check_name(name)

    def find(self, name: str) -> Volume | None:
        """The volume of that name."""
        row = self._db.execute("SELECT * FROM volumes WHERE name = ?", (name,)).fetchone()
        return self._volume(row) if row else None

    def get(self, name: str) -> Volume:
        """The volume of that name. Raises VolumeProblem."""
        volume = self.find(name)
        if volume is None:
            raise VolumeProblem(
                f"there is no volume `{name}`",
                hint="`buoy volume ls` lists those there are",
                code="no-such-volume",
            )
        return volume

    def list(self) -> list[Volume]:
        """All volumes, by name."""
        rows = self._db.execute("SELECT * FROM volumes ORDER BY name")
        return [self._volume(row) for row in rows]

    def remove(self, name: str) -> None:
        """Delete a volume with its content; accepts absence.

        Raises VolumeProblem while a container has it, stopped ones included.
        """
        import contextlib
        import secrets

        users = self._users(name)
        if users:
            raise VolumeProblem(
                f"volume `{name}` is in use by {', '.join(users)}",
                hint="remove the containers first",
                code="volume-in-use",
            )
        volume = self.find(name)
        if volume is None:
            return
        if volume.options:
            from engine.rootfs.elsewhere import ensure_unmounted

            ensure_unmounted(volume.path)  # what is there is not ours to delete
        directory = os.path.dirname(self._roots.volume(name))
        doomed = f"{self._roots.temporary}/volume-{secrets.token_hex(8)}"
        os.makedirs(self._roots.temporary, mode=0o700, exist_ok=True)
        if os.path.isdir(directory):
            os.rename(directory, doomed)
        with making_room(self._roots.root):
            self._db.execute("DELETE FROM volumes WHERE name = ?", (name,))
        with contextlib.suppress(OSError):
            remove_tree(doomed)

    def mount(self, names: Iterable[str]) -> set[str]:
        """Have the content of volumes that is elsewhere mounted; the names of those.

        Raises VolumeProblem.
        """
        mounted = set()
        for name in names:
            volume = self.get(name)
            if volume.options:
                from engine.rootfs.elsewhere import ensure_mounted

                ensure_mounted(volume)
                mounted.add(name)
        return mounted

    def unmount(self, names: Iterable[str]) -> None:
        """The way back, for volumes that nobody running has; accepts absence."""
        for name in names:
            volume = self.find(name)
            if volume is not None and volume.options:
                from engine.rootfs.elsewhere import ensure_unmounted

                ensure_unmounted(volume.path)

    def _volume(self, row: sqlite3.Row) -> Volume:
        return Volume(
            name=row["name"],
            path=self._roots.volume(row["name"]),
            driver=row["driver"],
            labels=json.loads(row["labels"]),
            options=json.loads(row["options"]),
            anonymous=bool(row["anonymous"]),
            created_at=row["created_at"],
        )


def _check_name(name: str) -> None:
    """Names become paths: nothing but letters, digits and `_.-`, and no dot or dash in front."""
    allowed = all(c.isascii() and (c.isalnum() or c in "_.-") for c in name)
    if not name or not allowed or not (name[0].isalnum()) or len(name) > 255:
        raise VolumeProblem(
            f"`{name}` cannot be the name of a volume",
            hint="letters, digits, `_`, `.` and `-`, with a letter or digit first",
            code="volume-name",
        )
