"""The containers of one engine."""

from __future__ import annotations

import contextlib
import json
import os
import re
import sqlite3
import time

from engine.containers.observe import ALIVE, observe_container
from engine.containers.statefile import RESTART_NAME, lock_holder
from engine.errors import ContainerProblem
from engine.state.db import transaction

TYPE_CHECKING = False  # `typing` takes 3 ms
if TYPE_CHECKING:
    import builtins
    import threading
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Iterator, Mapping
    from typing import Protocol

    from engine.containers.exec import ExecSpec
    from engine.containers.launch import Stage
    from engine.containers.logs import LogLine
    from engine.containers.spec import Container, ContainerSpec, FileSpec
    from engine.containers.watching import Starts
    from engine.images.images import Images
    from engine.network.networks import Networks
    from engine.rootfs.volumes import Volumes
    from engine.state.paths import Roots

    class Parts(Protocol):
        """The other parts of the engine, loaded when they are asked for."""

        @property
        def images(self) -> Images: ...

        @property
        def networks(self) -> Networks: ...

        @property
        def volumes(self) -> Volumes: ...


_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+")
_SHORTEST_PREFIX = 4
_DOOMED = "container-"  # in the temporary directory: to be deleted


class Containers:
    """Creates, starts, watches, stops and removes. Names and ids are accepted alike."""

    def __init__(self, roots: Roots, db: sqlite3.Connection, parts: Parts) -> None:
        self.roots, self.db, self.parts = roots, db, parts
        self._stage: Stage | None = None
        self._mended = False
        self._deleting: builtins.list[threading.Thread] = []

    @property
    def stage(self) -> Stage:
        """The stage process of this command, started at first use."""
        if self._stage is None:
            from engine.containers.launch import Stage

            self._stage = Stage(self.roots)
        return self._stage

    def close(self) -> None:
        """Let the stage go; what it started runs on."""
        if self._stage is not None:
            self._stage.close()
            self._stage = None
        for thread in self._deleting:
            thread.join()

    # --- finding

    def list(self, labels: Mapping[str, str] | None = None) -> list[Container]:
        """All containers that carry `labels`, in the order they were created."""
        rows = self.db.execute("SELECT * FROM containers ORDER BY created_at, name")
        wanted = (labels or {}).items()
        return [
            observe_container(self.roots, row)
            for row in rows
            if not wanted or wanted <= json.loads(row["labels"]).items()
        ]

    def find(self, name_or_id: str) -> Container | None:
        """By name, id, or a prefix of an id that is the only one."""
        row = self._find_row(name_or_id)
        return observe_container(self.roots, row) if row else None

    def get(self, name_or_id: str) -> Container:
        """The same. Raises ContainerProblem where there is none."""
        return observe_container(self.roots, self.row(name_or_id))

    def row(self, name_or_id: str) -> sqlite3.Row:
        """The record of a container. Raises ContainerProblem where there is none."""
        row = self._find_row(name_or_id)
        if row is None:
            raise ContainerProblem(f"no such container: {name_or_id}", code="no-such-container")
        return row

    def spec(self, name_or_id: str) -> ContainerSpec:
        """What a container was made from. Raises ContainerProblem where there is none."""
        from engine.containers.starting import load_spec

        row = self.row(name_or_id)
        return load_spec(row["spec"], name=row["name"])

    def users_of_volume(self, name: str) -> builtins.list[str]:
        """Names of the containers that mount a volume, stopped ones too."""
        rows = self.db.execute("SELECT name, spec FROM containers")
        return [row["name"] for row in rows if name in _volumes_of(json.loads(row["spec"]))]

    # --- making and removing

    def create(self, spec: ContainerSpec) -> Container:
        """Record a container; nothing of it runs yet. Its volumes are made.

        Raises ContainerProblem where the name is taken or not a name.
        """
        from engine.containers.files import place_files

        self.mend()
        _check_name(spec.name)
        image = None if spec.lowers else self.parts.images.get(spec.image)
        container_id = _new_id()
        described = self._with_volumes(spec, image.config.volumes if image else ())
        with transaction(self.db) as db:
            try:
                db.execute(
                    "INSERT INTO containers (id, name, image_id, labels, spec, created_at)"
                    " VALUES (?, ?, ?, ?, ?, ?)",
                    (
                        container_id,
                        spec.name,
                        image.id if image else None,
                        json.dumps(dict(spec.labels)),
                        json.dumps(described),
                        time.time(),
                    ),
                )
            except sqlite3.IntegrityError:
                raise ContainerProblem(
                    f"the container name `{spec.name}` is taken",
                    hint="remove or rename the other container",
                    code="name-taken",
                ) from None
        place_files(self.roots, container_id, spec.files)
        self._note("create", container_id, spec.name)
        return self.get(container_id)

    def provide(self, name_or_id: str, files: Iterable[FileSpec]) -> None:
        """Give a container the texts of its files again, by their targets: secret ones are lost
        when the machine restarts."""
        from engine.containers.files import place_files

        texts = {file.target: file.content for file in files}
        if texts:
            row, spec = self.row(name_or_id), self.spec(name_or_id)
            known = [one.replace(content=texts.get(one.target, one.content)) for one in spec.files]
            place_files(self.roots, row["id"], known)

    def rename(self, name_or_id: str, name: str) -> None:
        """Give a container another name. Its present run keeps the old one in the DNS."""
        _check_name(name)
        row = self.row(name_or_id)
        try:
            self.db.execute("UPDATE containers SET name = ? WHERE id = ?", (name, row["id"]))
        except sqlite3.IntegrityError:
            raise ContainerProblem(
                f"the container name `{name}` is taken", code="name-taken"
            ) from None

    def remove(self, name_or_id: str, *, volumes: bool = False) -> None:
        """Delete a container that does not run; accepts absence.

        volumes  its anonymous volumes go with it
        """
        from engine.containers import stopping

        self.mend()
        row = self._find_row(name_or_id)
        if row is None:
            return
        container = observe_container(self.roots, row)
        if container.status in ALIVE:
            raise ContainerProblem(
                f"container {container.name} is {container.status} and cannot be removed",
                hint="stop it first",
                code="container-running",
            )
        described = json.loads(row["spec"])
        stopping.remove_cgroup(self.roots, row["id"])
        self.parts.networks.detach(row["id"])
        self.db.execute("DELETE FROM containers WHERE id = ?", (row["id"],))
        self._delete_directories(row["id"])
        if volumes:
            self._remove_anonymous(_volumes_of(described))
        self._note("destroy", row["id"], row["name"])

    # --- running

    async def start(self, name_or_id: str) -> Container:
        """Start a container that does not run; returns once its program has been executed.

        Raises ContainerProblem: command-not-found, not-executable, port-taken, mount, ...
        """
        from engine.containers import starting

        self.mend()
        await starting.start(self, self.row(name_or_id))
        return self.get(name_or_id)

    async def stop(
        self, name_or_id: str, *, grace_s: float | None = None, signal: str | None = None
    ) -> Container:
        """The stop signal, then SIGKILL after the grace period; returns once all is cleaned up.

        grace_s  None: the container's own; below zero: wait for ever
        """
        from engine.containers import stopping

        row = self.row(name_or_id)
        self._note_manual_stop(row["id"])
        await stopping.stop(self.roots, row["id"], grace_s, signal)
        self.mend()
        return self.get(name_or_id)

    async def kill(self, name_or_id: str, signal: str = "SIGKILL") -> None:
        """Send a signal to init. Raises ContainerProblem where the container does not run.

        Whatever the signal, the container counts as stopped by hand; SIGKILL and its stop signal
        also end its restarts (engine.md A11.3).
        """
        from engine.containers import stopping

        row = self.row(name_or_id)
        self._note_manual_stop(row["id"])
        if not await stopping.kill(self.roots, row["id"], signal):
            raise ContainerProblem(
                f"container {row['name']} is not running", code="container-not-running"
            )

    async def restart(self, name_or_id: str, *, grace_s: float | None = None) -> Container:
        """Stop and start again: the same container, with what is recorded of it."""
        from engine.containers.stopping import restarting

        container_id = self.row(name_or_id)["id"]
        with restarting(self.roots, container_id):
            await self.stop(container_id, grace_s=grace_s)
            return await self.start(container_id)

    def is_restarting(self, container_id: str) -> bool:
        """Whether somebody has stopped it only to start it again."""
        run_directory = self.roots.container_run(container_id)
        return lock_holder(run_directory, RESTART_NAME) is not None

    async def exec(
        self, name_or_id: str, spec: ExecSpec, output: Callable[[bytes], None] | None = None
    ) -> int:
        """Run a further process inside, relayed to our stdio; its exit code.

        output  gets what it writes instead of our stdout and stderr

        126 and 127 where it cannot be executed or found, as ContainerProblem with that exit_code.
        """
        from engine.containers import starting

        return await starting.execute(self, self.row(name_or_id), spec, output)

    async def wait(self, name_or_id: str, until: Callable[[Container], bool]) -> Container:
        """Until the container is as `until` says; by notification. Raises if it is removed."""
        from engine.containers.watching import Changes

        container_id = self.row(name_or_id)["id"]
        with Changes(self.roots, container_id) as changes:
            while not until(container := self.get(container_id)):
                await changes.wait()
        return container

    # --- logs

    def logs(
        self,
        name_or_id: str,
        *,
        tail: int | None = None,
        since_s: float | None = None,
        until_s: float | None = None,
    ) -> Iterator[LogLine]:
        """The log as it is now, oldest first. Times are seconds since the epoch."""
        from engine.containers.logs import LogReader

        directory = self.roots.container(self.row(name_or_id)["id"])
        with contextlib.closing(LogReader(directory)) as reader:
            yield from _select(reader.read(), tail, _stamp(since_s), _stamp(until_s))

    async def follow(self, name_or_id: str, *, tail: int | None = None) -> AsyncIterator[LogLine]:
        """The log, and what comes to it, until the container has ended for good or is removed."""
        async with contextlib.aclosing(self.watch_log(name_or_id)) as changes:
            async for _, lines in changes:
                for line in _select(lines, tail, None, None):
                    yield line
                tail = None

    async def watch_log(
        self, name_or_id: str
    ) -> AsyncGenerator[tuple[Container | None, Iterator[LogLine]], None]:
        """A container with what has come to its log: at once, then after each change of either.

        All that it wrote before it was as it is given is among the lines, which are to be read
        before the next pair. The last pair is that of a container that has ended for good, or
        None for one that was removed.
        """
        from engine.containers.logs import LogReader
        from engine.containers.watching import Changes

        container_id = self.row(name_or_id)["id"]
        directory = self.roots.container(container_id)
        os.makedirs(directory, mode=0o710, exist_ok=True)
        with (
            Changes(self.roots, container_id, logs=True) as changes,
            contextlib.closing(LogReader(directory)) as reader,
        ):
            while True:
                container = self.find(container_id)
                yield container, reader.read()
                if container is None or container.status in ("exited", "dead"):
                    return
                await changes.wait()

    def starts(self) -> Starts:
        """To be told of containers that are started; a context manager."""
        from engine.containers.watching import Starts

        return Starts(self.roots)

    # --- putting right

    def mend(self) -> None:
        """Clean up behind monitors that were killed; once per engine, cheap when all is well."""
        if not self._mended:
            self._mended = True
            from engine.containers import stopping

            stopping.mend(self)

    def _find_row(self, name_or_id: str) -> sqlite3.Row | None:
        rows = self.db.execute(
            "SELECT * FROM containers WHERE id = ? OR name = ?", (name_or_id, name_or_id)
        ).fetchall()
        if not rows and len(name_or_id) >= _SHORTEST_PREFIX and name_or_id.isalnum():
            rows = self.db.execute(
                "SELECT * FROM containers WHERE id GLOB ? LIMIT 2", (f"{name_or_id}*",)
            ).fetchall()
        return rows[0] if len(rows) == 1 else None

    def _with_volumes(
        self, spec: ContainerSpec, image_volumes: tuple[str, ...]
    ) -> dict[str, object]:
        """The spec as JSON, each volume made and named; those of the image that are not
        mounted over become anonymous ones."""
        from engine.containers.files import without_secrets

        described = spec.plain()
        described["files"] = without_secrets(described["files"])
        targets = {os.path.normpath(mount.target) for mount in spec.mounts}
        described["mounts"] = list(described["mounts"]) + [
            {**_ANONYMOUS, "target": path} for path in image_volumes if path not in targets
        ]
        for mount in described["mounts"]:
            if mount["type"] == "volume":
                mount["source"] = self.parts.volumes.create(mount["source"] or None).name
        return described

    def _delete_directories(self, container_id: str) -> None:
        """The durable one is renamed first: half of it would look like a container."""
        import shutil

        directory = self.roots.container(container_id)
        doomed = f"{self.roots.temporary}/{_DOOMED}{container_id}"
        os.makedirs(self.roots.temporary, mode=0o700, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            os.rename(directory, doomed)
        shutil.rmtree(self.roots.container_run(container_id), ignore_errors=True)
        self._deleting.append(_delete_in_background(self.roots.temporary))

    def _remove_anonymous(self, names: set[str]) -> None:
        for name in names:
            volume = self.parts.volumes.find(name)
            if volume is not None and volume.anonymous and not self.users_of_volume(name):
                self.parts.volumes.remove(name)

    def _note_manual_stop(self, container_id: str) -> None:
        """`unless-stopped` will not bring it back."""
        self.db.execute("UPDATE containers SET manually_stopped = 1 WHERE id = ?", (container_id,))

    def _note(self, action: str, container_id: str, name: str) -> None:
        self.db.execute(
            "INSERT INTO events (at, kind, action, subject, attributes)"
            " VALUES (?, 'container', ?, ?, ?)",
            (time.time(), action, container_id, json.dumps({"name": name})),
        )


_ANONYMOUS = {
    "type": "volume",
    "source": "",
    "read_only": False,
    "create_host_path": True,
    "propagation": "rprivate",
    "recursive": True,
    "nocopy": False,
    "options": (),
    "size_bytes": None,
    "mode": None,
}


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise ContainerProblem(
            f"`{name}` cannot be the name of a container",
            hint="letters, digits, `_`, `.` and `-`, with a letter or digit first",
            code="container-name",
        )


def _delete_in_background(temporary: str) -> threading.Thread:
    """Unlinking waits for the disk (20 ms a container): the command goes on meanwhile.

    What a killed command has left goes as well.
    """
    import shutil
    import threading

    def delete() -> None:
        for name in os.listdir(temporary):
            if name.startswith(_DOOMED):
                shutil.rmtree(f"{temporary}/{name}", ignore_errors=True)

    thread = threading.Thread(target=delete)
    thread.start()
    return thread


def _new_id() -> str:
    """64 hex digits, of which the first 12 are not all decimal: they would look like a number."""
    import secrets

    while (container_id := secrets.token_hex(32))[:12].isdecimal():
        pass
    return container_id


def _volumes_of(described: dict[str, list[dict[str, str]]]) -> set[str]:
    return {mount["source"] for mount in described["mounts"] if mount["type"] == "volume"}


def _stamp(at_s: float | None) -> str | None:
    """As it stands in the log, to compare as text."""
    if at_s is None:
        return None
    second, fraction = divmod(at_s, 1)
    text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
    return f"{text}.{int(fraction * 1e9):09d}Z"


def _select(
    lines: Iterator[LogLine], tail: int | None, since: str | None, until: str | None
) -> Iterator[LogLine]:
    """Clocks go back: `until` passes over later lines, it does not end the reading."""
    chosen = (
        line
        for line in lines
        if (since is None or line.stamp >= since) and (until is None or line.stamp <= until)
    )
    if tail is None:
        return chosen
    from collections import deque

    return iter(deque(chosen, maxlen=tail))
