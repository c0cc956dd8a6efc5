"""The containers of one engine."""

from __future__ import annotations

import contextlib
import json

from engine.containers.observe import observe_container
from engine.containers.rows import find_row, note_event, users_of_volume
from engine.containers.statefile import RESTART_NAME, lock_holder
from engine.errors import ContainerProblem, Problem

TYPE_CHECKING = False  # `typing` takes 3 ms
if TYPE_CHECKING:
    import builtins
    import sqlite3
    import threading
    from collections.abc import (
        AsyncGenerator,
        AsyncIterator,
        Callable,
        Iterable,
        Iterator,
        Mapping,
        Sequence,
    )
    from typing import BinaryIO, Protocol

    from engine.containers.events import Event
    from engine.containers.exec import ExecSpec
    from engine.containers.launch import Stage
    from engine.containers.logs.line import LogLine
    from engine.containers.observed import Container, Plugged
    from engine.containers.processes import Process
    from engine.containers.repairing import Repaired
    from engine.containers.spec import ContainerSpec, EndpointSpec, FileSpec, PlugSpec, Resources
    from engine.containers.streams.listening import Listener
    from engine.containers.streams.session import AttachSpec
    from engine.containers.usage import Usage
    from engine.containers.watching import Starts
    from engine.images.images import Images
    from engine.network.finding import Finding
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

    def list_with_specs(self) -> builtins.list[tuple[Container, ContainerSpec]]:
        """All containers with what they were made from, as of one moment."""
        from engine.containers.spec import load_spec

        rows = self.db.execute("SELECT * FROM containers ORDER BY created_at, name").fetchall()
        return [
            (observe_container(self.roots, row), load_spec(row["spec"], name=row["name"]))
            for row in rows
        ]

    def find(self, name_or_id: str) -> Container | None:
        """By name, id, or a prefix of an id that is the only one."""
        row = find_row(self.db, name_or_id)
        return observe_container(self.roots, row) if row else None

    def get(self, name_or_id: str) -> Container:
        """The same. Raises ContainerProblem where there is none."""
        return observe_container(self.roots, self.row(name_or_id))

    def row(self, name_or_id: str) -> sqlite3.Row:
        """The record of a container. Raises ContainerProblem where there is none."""
        row = find_row(self.db, name_or_id)
        if row is None:
            raise ContainerProblem(f"no such container: {name_or_id}", code="no-such-container")
        return row

    @contextlib.asynccontextmanager
    async def turn(self, name_or_id: str) -> AsyncIterator[sqlite3.Row]:
        """The record of a container, which no other command starts or changes meanwhile.

        Raises ContainerProblem where there is none.
        """
        from engine.state.turns import turn

        container_id = self.row(name_or_id)["id"]
        async with turn(self.roots.turns, container_id):
            yield self.row(container_id)

    def spec(self, name_or_id: str) -> ContainerSpec:
        """What a container was made from. Raises ContainerProblem where there is none."""
        from engine.containers.spec import load_spec

        row = self.row(name_or_id)
        return load_spec(row["spec"], name=row["name"])

    def users_of_volume(self, name: str) -> builtins.list[str]:
        """Names of the containers that mount a volume, stopped ones too."""
        return users_of_volume(self.db, name)

    # --- making and removing

    def create(self, spec: ContainerSpec) -> Container:
        """Record a container; nothing of it runs yet. Its volumes are made.

        Raises ContainerProblem where the name is taken or not a name.
        """
        from engine.containers.creating import create

        self.mend()
        return self.get(create(self, spec))

    def provide(self, name_or_id: str, files: Iterable[FileSpec]) -> None:
        """Give a container the texts of its files again, by their targets: secret ones are lost
        when the machine restarts."""
        from engine.containers.files import place_files

        texts = {file.target: file.content for file in files}
        if texts:
            row, spec = self.row(name_or_id), self.spec(name_or_id)
            known = [one.replace(content=texts.get(one.target, one.content)) for one in spec.files]
            place_files(self.roots, row["id"], known)

    async def connect(self, name_or_id: str, wish: EndpointSpec) -> None:
        """Put a container on one network more, running or not. Raises Problem."""
        from engine.containers.connecting import connect

        async with self.turn(name_or_id) as row:
            await connect(self, row, wish)

    async def disconnect(self, name_or_id: str, network: str) -> None:
        """Take a container off a network, running or not. Raises Problem."""
        from engine.containers.connecting import disconnect

        async with self.turn(name_or_id) as row:
            await disconnect(self, row, network)

    async def plug(self, name_or_id: str, wish: PlugSpec) -> Plugged:
        """Give a container an interface of the host's networks, running or not. Raises Problem."""
        from engine.containers.plugging import plug

        return await plug(self, name_or_id, wish)

    async def unplug(self, name_or_id: str, interface: str = "") -> None:
        """Take it away; without a name, the only one. Raises Problem."""
        from engine.containers.plugging import unplug

        await unplug(self, name_or_id, interface)

    def rename(self, name_or_id: str, name: str) -> None:
        """Give a container another name. Its present run keeps the old one in the DNS."""
        from engine.containers.creating import rename

        rename(self, self.row(name_or_id)["id"], name)

    def remove(self, name_or_id: str, *, volumes: bool = False) -> None:
        """Delete a container that does not run; accepts absence.

        volumes  its anonymous volumes go with it
        """
        from engine.containers.removing import remove
        from engine.state.reserve import making_room

        with making_room(self.roots.root):
            self.mend()
            row = find_row(self.db, name_or_id)
            if row is not None:
                self._deleting.append(remove(self, row, volumes=volumes))

    # --- running

    async def start(
        self,
        name_or_id: str,
        hear: Callable[[Listener], object] | None = None,
        secrets: Mapping[str, str] = {},
    ) -> Container:
        """Start a container that does not run; returns once its program has been executed.

        hear     gets what it writes from its first byte on; called before the start
        secrets  variables for this run alone, which are kept in memory alone

        Raises ContainerProblem: command-not-found, not-executable, port-taken, mount, ...
        """
        from engine.containers import starting

        self.mend()
        row = self.row(name_or_id)
        if hear is None:
            await starting.start(self, row, secrets=secrets)
        else:
            from engine.containers.streams.listening import listener_at_start

            listener, client = listener_at_start()
            hear(listener)
            with client.peer:
                await starting.start(self, row, client, secrets)
        return self.get(name_or_id)

    def listen(self, name_or_id: str) -> Listener | None:
        """What a running container writes from now on; None where it has ended."""
        from engine.containers.streams.listening import listen

        return listen(self.roots, self.row(name_or_id)["id"])

    async def stop(
        self, name_or_id: str, *, grace_s: float | None = None, signal: str | None = None
    ) -> Container:
        """The stop signal, then SIGKILL after the grace period; returns once all is cleaned up.

        grace_s  None: the container's own; below zero: wait for ever
        """
        from engine.containers import stopping
        from engine.containers.unmounting import unmount_volumes
        from engine.state.reserve import making_room

        row = self.row(name_or_id)
        with making_room(self.roots.root):
            self._note_manual_stop(row["id"])
        was_running = await stopping.stop(self.roots, row, grace_s, signal)
        self.mend()
        unmount_volumes(self, row)
        found = self.get(row["id"])
        if was_running:
            self._note(row, "die", exit_code=found.exit_code)
            self._note(row, "stop")
        return found

    async def kill(self, name_or_id: str, signal: str = "SIGKILL") -> None:
        """Send a signal to init. Raises ContainerProblem where the container does not run.

        Whatever the signal, the container counts as stopped by hand; SIGKILL and its stop signal
        also end its restarts (engine.md A11.3).
        """
        from engine.containers import stopping

        row = self.row(name_or_id)
        if not await stopping.kill(self.roots, row["id"], signal):
            raise ContainerProblem(
                f"container {row['name']} is not running", code="container-not-running"
            )
        self._note_manual_stop(row["id"])
        self._note(row, "kill", signal=signal)

    async def pause(self, name_or_id: str) -> None:
        """Freeze all processes of a container. Raises ContainerProblem where it does not run."""
        from engine.containers import pausing

        await pausing.pause(self, self.row(name_or_id))

    async def unpause(self, name_or_id: str) -> None:
        """Let a paused container go on. Raises ContainerProblem where it is not paused."""
        from engine.containers import pausing

        await pausing.unpause(self, self.row(name_or_id))

    def update(self, name_or_id: str, changes: Resources) -> Container:
        """Change limits, of a container that runs too: at once, and for all its later starts.

        changes  the limits that are not None; those that are stay as they are. -1 takes off
                 that of memory, swap, a quota, or processes

        Raises ContainerProblem, with nothing on record; limits that this host has nothing for are
        in `discarded` of the container that is returned.
        """
        from engine.containers.updating import update
        from engine.state.turns import short_turn

        container_id = self.row(name_or_id)["id"]
        with short_turn(self.roots.turns, container_id):
            discarded = update(self, self.row(container_id), changes)
        return self.get(name_or_id).replace(discarded=tuple(discarded))

    async def restart(self, name_or_id: str, *, grace_s: float | None = None) -> Container:
        """Stop and start again: the same container, with what is recorded of it."""
        from engine.containers.stopping import restarting

        row = self.row(name_or_id)
        with restarting(self.roots, row["id"]):
            await self.stop(row["id"], grace_s=grace_s)
            found = await self.start(row["id"])
        self._note(row, "restart")
        return found

    def is_restarting(self, container_id: str) -> bool:
        """Whether somebody has stopped it only to start it again."""
        run_directory = self.roots.container_run(container_id)
        return lock_holder(run_directory, RESTART_NAME) is not None

    def usage(self, name_or_id: str) -> Usage:
        """What a running container has used; no process is started for it.

        Raises ContainerProblem where it does not run.
        """
        from engine.containers.usage import observe_usage

        return observe_usage(self.roots, self.row(name_or_id))

    def processes(self, name_or_id: str) -> tuple[Process, ...]:
        """The processes of a running container, from the host's point of view.

        Raises ContainerProblem where it does not run.
        """
        from engine.containers.processes import observe_processes

        return observe_processes(self.roots, self.row(name_or_id))

    async def exec(
        self, name_or_id: str, spec: ExecSpec, output: Callable[[bytes], None] | None = None
    ) -> int:
        """Run a further process inside, relayed to our stdio; its exit code.

        output  gets what it writes instead of our stdout and stderr

        126 and 127 where it cannot be executed or found, as ContainerProblem with that exit_code.
        """
        from engine.containers import starting

        return await starting.execute(self, self.row(name_or_id), spec, output)

    async def copy_out(
        self,
        name_or_id: str,
        source: str,
        target: str,
        *,
        archive: bool = False,
        follow: bool = False,
        name: str = "",
    ) -> tuple[str, ...]:
        """Copy a path of a container, running or not, to one of the host by Docker's rules.

        target   "-": a tar archive to our stdout
        archive  with owners, in place of our own
        follow   where the source is a symlink, what it leads to
        name     what the container is called in messages

        What was left out, in words. Raises ContainerProblem.
        """
        from engine.containers.copying.copying import copy

        row = self.row(name_or_id)
        job = {"out": True, "inside": source, "outside": target, "name": name or row["name"]}
        return await copy(self, row, {**job, "archive": archive, "follow": follow})

    async def copy_in(
        self,
        name_or_id: str,
        source: str,
        target: str,
        *,
        archive: bool = False,
        follow: bool = False,
        name: str = "",
    ) -> tuple[str, ...]:
        """The other way: what is copied is of the container's root, but for `archive`.

        source   "-": a tar archive from our stdin, into a directory
        """
        from engine.containers.copying.copying import copy

        row = self.row(name_or_id)
        job = {"out": False, "inside": target, "outside": source, "name": name or row["name"]}
        return await copy(self, row, {**job, "archive": archive, "follow": follow})

    def export(self, name_or_id: str, out: BinaryIO) -> None:
        """Write the root filesystem of a container, running or not, as a tar to a file that has a
        descriptor; what is mounted in it is left out."""
        from engine.containers.exporting import export_container

        export_container(self, self.row(name_or_id), out)

    def export_layers(self, lowers: Sequence[str], out: BinaryIO) -> None:
        """The same of what a new container on these layers (top first) would see."""
        from engine.containers.exporting import export_layers

        export_layers(self, lowers, out)

    async def attach(
        self, name_or_id: str, spec: AttachSpec, warn: Callable[[str], object]
    ) -> int | None:
        """Have our stdio be that of a running container, until this run of it has ended.

        The exit code; None where the user has detached from it. Raises ContainerProblem where it
        does not run.
        """
        from engine.containers.streams import attach

        return await attach.attach(self, self.row(name_or_id), spec, warn)

    async def run(
        self, name_or_id: str, spec: AttachSpec, warn: Callable[[str], object]
    ) -> int | None:
        """Start a container and be attached before its program begins; as `attach` otherwise."""
        from engine.containers.streams import attach

        self.mend()
        return await attach.run_attached(self, self.row(name_or_id), spec, warn)

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
        from engine.containers.logs.reading import read_log

        return read_log(self.roots, self.row(name_or_id), tail, since_s, until_s)

    async def follow(self, name_or_id: str, *, tail: int | None = None) -> AsyncIterator[LogLine]:
        """The log, and what comes to it, until the container has ended for good or is removed."""
        from engine.containers.logs.reading import select

        async with contextlib.aclosing(self.watch_log(name_or_id, tail=tail)) as changes:
            async for _, lines in changes:
                for line in select(lines, tail):
                    yield line
                tail = None

    def watch_log(
        self, name_or_id: str, *, tail: int | None = None
    ) -> AsyncGenerator[tuple[Container | None, Iterator[LogLine]], None]:
        """A container with what has come to its log: at once, then after each change of either.

        All that it wrote before it was as it is given is among the lines, which are to be read
        before the next pair. The last pair is that of a container that has ended for good, or
        None for one that was removed.

        tail  of what is there at first, about so many entries
        """
        from engine.containers.logs.reading import watch_log

        return watch_log(self, self.row(name_or_id), tail)

    def events(
        self, *, since_s: float | None = None, until_s: float | None = None
    ) -> Iterator[Event]:
        """What has become of containers between two times (epoch), oldest first."""
        from engine.containers.events import read_events

        return read_events(self.db, since_s, until_s)

    def starts(self) -> Starts:
        """To be told of containers that are started; a context manager."""
        from engine.containers.watching import Starts

        return Starts(self.roots)

    # --- putting right

    def mend(self) -> None:
        """Clean up behind monitors that were killed, and put back a firewall table that somebody
        took away; once per engine, cheap when all is well."""
        if not self._mended:
            self._mended = True
            from engine.containers.mending import mend

            mend(self)
            self.parts.networks.ensure_tables()

    async def find_network_faults(self, *names: str) -> builtins.list[Finding]:
        """What of these networks, or of all, is not as it is on record: at the host, and inside
        the containers that run. Changes nothing. Raises NetworkProblem `no-such-network`."""
        from engine.containers.repairing import find_faults

        return await find_faults(self, names, inside=True)

    async def repair_networks(self, *names: str, inside: bool = True) -> builtins.list[Repaired]:
        """Put it right, as far as it can be; without names, also what is left of networks and
        containers that are gone.

        inside  also what a container with the right to do so may have changed itself

        Raises NetworkProblem `no-such-network`.
        """
        from engine.containers.repairing import repair

        return await repair(self, names, inside=inside)

    async def resume(self) -> builtins.list[Container]:
        """Start what was running when the host went down, as the restart policies say.

        The containers that were started. Raises an ExceptionGroup of the Problems of those that
        could not be, once all have been tried.
        """
        from engine.containers.resuming import to_resume

        started, problems = [], []
        for container_id in to_resume(self):
            try:
                started.append(await self.start(container_id))
            except Problem as problem:
                problems.append(problem)
        if problems:
            raise ExceptionGroup("not all could be started again", problems)
        return started

    def _note(self, row: sqlite3.Row, action: str, **attributes: object) -> None:
        """Add to the events of a container."""
        note_event(self.db, action, row["id"], {"name": row["name"], **attributes})

    def _note_manual_stop(self, container_id: str) -> None:
        """`unless-stopped` will not bring it back."""
        self.db.execute("UPDATE containers SET manually_stopped = 1 WHERE id = ?", (container_id,))
