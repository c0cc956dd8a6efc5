"""Steps made true: each action as calls of the engine."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from compose.model.record import Record
from compose.reconcile import names
from compose.reconcile.blame import place_of
from compose.reconcile.conditions import wait_for
from compose.reconcile.container_spec import container_spec, image_of
from compose.reconcile.files import file_specs
from compose.reconcile.hooks import remembered_hooks, run_hooks
from compose.reconcile.leaving import LeavingNetworks
from compose.reconcile.resources import create_network, create_volume
from compose.reconcile.step import Detail
from engine.errors import ImageProblem, Problem

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from compose.model import Project, Service
    from compose.reconcile.hooks import Key
    from compose.reconcile.step import Step
    from engine import BuildEvent, Container, Engine, Image, Listener, Mount

    Tell = Callable[[Step, Detail], None]
    Hear = Callable[[str], Callable[[Listener], object] | None]
    Progress = Callable[[str, str, int | None, int | None], None]


class Settings(Record):
    """What holds for all steps of a run.

    grace_s         between the stop signal and SIGKILL; None: each container's own
    volumes         anonymous volumes go with their containers
    pull            policy that overrides those of the services
    wait_timeout_s  how long a wait may last; None: without end
    signal          sent by `kill`
    quiet_pull      nothing is told of layers, pushed ones neither
    quiet_build     nothing is told of build steps
    """

    grace_s: float | None = None
    volumes: bool = False
    pull: str | None = None
    wait_timeout_s: float | None = None
    signal: str = "SIGKILL"
    quiet_pull: bool = False
    quiet_build: bool = False


class Performer:
    """Performs the steps of one project; an instance is the `perform` of `execute`.

    project  None for plans that need no file: stop, down, kill
    detail   is told what goes on within a step: build steps; layers, and of which one it is
    hear     of a container that is about to be started: who is to get what it writes

    `warnings` collects what the user may not expect of what was done.
    """

    def __init__(
        self,
        engine: Engine,
        project: Project | None,
        settings: Settings,
        *,
        detail: Tell | None = None,
        hear: Hear = lambda container_id: None,
    ) -> None:
        self._engine, self._project, self._settings = engine, project, settings
        self._detail, self._hear = detail, hear
        self._leaving = LeavingNetworks(engine)
        self.warnings: list[str] = []
        self._made: dict[tuple[str, int], str] = {}  # replica -> id of the container made here

    async def __call__(self, step: Step) -> str | None:
        """Make `step` true; the word for what came of it, where it is not the action's own.

        A Problem of the engine gets the place in the file that asked for it.
        """
        action: Callable[[Step], Awaitable[str | None]]
        action = getattr(self, f"_{step.action}_{step.kind}")
        try:
            return await action(step)
        except Problem as problem:
            if problem.where is None and self._project is not None:
                setting = getattr(problem, "setting", "")
                problem.where = place_of(self._project, step, problem.code, setting)
            raise

    def container_of(self, step: Step) -> str:
        """Id of the container a step is about, made in this run or before."""
        return self._made.get((step.service, step.number)) or step.target

    # Images, networks, volumes

    async def _pull_image(self, step: Step) -> None:
        policy = self._settings.pull or self._service(step).pull_policy or "missing"
        platform = self._service(step).platform
        await self._engine.images.ensure_in_thread(
            step.name, policy, self._progress(step), platform
        )

    async def _push_image(self, step: Step) -> None:
        await self._engine.images.push_in_thread(step.name, self._progress(step))

    async def _fetch_image(self, step: Step) -> str | None:
        try:
            await self._pull_image(step)
        except ImageProblem as problem:
            if self._engine.images.find(step.name) is not None:
                self._tell(step, Detail(text=f"kept as it is: {problem}"))
                return "Kept"
            self._tell(step, Detail(text=f"cannot be pulled, so it is built: {problem}"))
            await self._build_image(step)
            return "Built"
        return None

    async def _build_image(self, step: Step) -> None:
        from compose.reconcile.build_spec import build_spec
        from engine import build_image

        def tell(event: BuildEvent) -> None:
            if not self._settings.quiet_build:
                self._tell(step, Detail(text=str(event)))

        await build_image(
            self._engine, build_spec(self._known_project(), self._service(step)), tell
        )

    async def _remove_image(self, step: Step) -> None:
        self._engine.images.remove(step.name)

    async def _create_network(self, step: Step) -> None:
        create_network(self._engine, self._known_project(), step.name)

    async def _recreate_network(self, step: Step) -> None:
        for container in self._engine.containers.list():
            if any(step.name == attachment.network for attachment in container.attachments):
                self._engine.networks.detach(container.id)
        self._engine.networks.remove(step.name)
        create_network(self._engine, self._known_project(), step.name)

    async def _restore_network(self, step: Step) -> None:
        self._engine.networks.restore(self._engine.networks.get(step.name))
        for one in await self._engine.containers.repair_networks(step.name, inside=False):
            if not one.mended and not one.finding.hint:
                self.warnings.append(f"network {step.name}: {one.finding}, still")

    async def _remove_network(self, step: Step) -> str | None:
        try:
            await self._leaving.remove(step.name)
        except Problem as problem:
            if problem.code != "network-in-use":
                raise
            return "Resource is still in use"
        return None

    async def _create_volume(self, step: Step) -> None:
        create_volume(self._engine, self._known_project(), step.name)

    async def _recreate_volume(self, step: Step) -> None:
        self._engine.volumes.remove(step.name)
        create_volume(self._engine, self._known_project(), step.name)

    async def _remove_volume(self, step: Step) -> None:
        self._engine.volumes.remove(step.name)

    # Containers

    async def _create_container(self, step: Step) -> None:
        await self._pull_mounted(step)
        self._create(step)

    async def _pull_mounted(self, step: Step) -> None:
        """Images that the service mounts. They are for its containers alone: no step of theirs."""
        project = self._known_project()
        for mount in self._service(step).mounts:
            if mount.type == "image":
                reference = image_of(project, mount)
                await self._engine.images.ensure_in_thread(
                    reference, "missing", self._progress(step)
                )

    async def _recreate_container(self, step: Step) -> None:
        """The new one under a temporary name, the old one away, the name handed over.

        Killed in between, it leaves two containers of one number, or one with a temporary name;
        the label `replace` tells the next plan which.
        """
        old = self._engine.containers.get(step.target)
        await self._pull_mounted(step)
        new = self._create(step, old)
        try:
            await self._stop(step, old.id)
        except BaseException:
            self._engine.containers.remove(new.id)
            raise
        self._engine.containers.remove(old.id)
        self._rename(step, new.id)

    async def _rename_container(self, step: Step) -> None:
        self._rename(step, step.target)

    async def _start_container(self, step: Step) -> None:
        container_id, service = self.container_of(step), self._find_service(step)
        if service is not None:
            files = file_specs(self._known_project(), service)
            self._engine.containers.provide(container_id, files)
        started = await self._engine.containers.start(container_id, self._hear(container_id))
        self.warnings += self._discarded(step, started)
        await self._run_hooks(step, container_id, "post_start")

    def _discarded(self, step: Step, container: Container) -> Iterator[str]:
        """A line for each limit that this host has nothing for."""
        for setting, why in container.discarded:
            where = place_of(self._project, step, "", setting) if self._project else None
            who = f"service `{step.service}`" if step.service else container.name
            yield f"{where}: {who}: {setting} is discarded: {why}".removeprefix("None: ")

    async def _run_container(self, step: Step) -> None:
        from compose.reconcile.pre_start import run_pre_start

        service = self._service(step)
        await run_pre_start(self._engine, self._known_project(), service, step.number)

    async def _stop_container(self, step: Step) -> None:
        await self._stop(step, step.target)

    async def _stop(self, step: Step, container_id: str) -> None:
        await self._run_hooks(step, container_id, "pre_stop")
        await self._engine.containers.stop(container_id, grace_s=self._settings.grace_s)

    async def _restart_container(self, step: Step) -> None:
        await self._run_hooks(step, step.target, "pre_stop")
        await self._engine.containers.restart(step.target, grace_s=self._settings.grace_s)
        await self._run_hooks(step, step.target, "post_start")

    async def _run_hooks(self, step: Step, container_id: str, key: Key) -> None:
        """Those of the file; where that has no such service, those that the container was made
        with."""
        service, where = self._find_service(step), None
        if service is not None:
            hooks = getattr(service, key)
            where = self._known_project().where(f"services.{step.service}.{key}")
        else:
            hooks = remembered_hooks(self._engine.containers.spec(container_id), key)
        container = self._engine.containers.get(container_id) if hooks else None
        if container is not None and container.status == "running":
            await run_hooks(self._engine, container, hooks, key=key, where=where)

    async def _kill_container(self, step: Step) -> None:
        await self._engine.containers.kill(step.target, self._settings.signal)

    async def _pause_container(self, step: Step) -> None:
        await self._engine.containers.pause(step.target)

    async def _unpause_container(self, step: Step) -> None:
        await self._engine.containers.unpause(step.target)

    async def _remove_container(self, step: Step) -> None:
        self._engine.containers.remove(step.target, volumes=self._settings.volumes)

    async def _wait_container(self, step: Step) -> str:
        limit = self._settings.wait_timeout_s
        try:
            async with asyncio.timeout(limit):
                return await wait_for(self._engine, self.container_of(step), step.cause, step.name)
        except TimeoutError:
            raise Problem(
                f"application not healthy after {limit:g}s: {step.name} is not yet",
                hint=f"`buoy logs {step.service}` shows what it wrote",
                code="wait-timeout",
            ) from None

    def _create(self, step: Step, old: Container | None = None) -> Container:
        service = self._service(step)
        spec = container_spec(
            self._known_project(),
            service,
            step.number,
            self._image(service),
            anonymous=self._anonymous_volumes(old) if old else {},
            lent=self._lent(service),
            replaces=old.id if old else "",
        )
        container = self._engine.containers.create(spec)
        self._made[step.service, step.number] = container.id
        return container

    def _lent(self, service: Service) -> tuple[Mount, ...]:
        if not service.volumes_from:
            return ()
        from compose.reconcile.lent import lent_mounts

        return tuple(lent_mounts(self._engine, self._known_project(), service))

    def _rename(self, step: Step, container_id: str) -> None:
        project = self._known_project()
        name = names.container_name(project, self._service(step), step.number)
        self._engine.containers.rename(container_id, name)

    def _image(self, service: Service) -> Image:
        return self._engine.images.get(service.image_name)

    def _anonymous_volumes(self, container: Container) -> dict[str, str]:
        found = {
            mount.target: self._engine.volumes.find(mount.source)
            for mount in container.mounts
            if mount.type == "volume"
        }
        return {target: one.name for target, one in found.items() if one and one.anonymous}

    # Lookups

    def _known_project(self) -> Project:
        assert self._project is not None  # steps that need a file are planned from one
        return self._project

    def _find_service(self, step: Step) -> Service | None:
        services = self._project.services if self._project else {}
        return services.get(step.service)

    def _service(self, step: Step) -> Service:
        return self._known_project().services[step.service]

    def _progress(self, step: Step) -> Progress:
        def tell(part: str, text: str, done: int | None, total: int | None) -> None:
            if not self._settings.quiet_pull:
                detail = Detail(text=text, done_bytes=done, total_bytes=total, part=part)
                self._tell(step, detail)

        return tell

    def _tell(self, step: Step, detail: Detail) -> None:
        if self._detail is not None:
            self._detail(step, detail)
