"""Foreground `up`: start, show the logs of all, stop on Ctrl-C (cli.md 5)."""

from __future__ import annotations

import asyncio
import signal
import time
from typing import TYPE_CHECKING

from compose.commands.applying import apply, parallel_limit
from compose.commands.exposing import say_exposure
from compose.commands.following import Following
from compose.commands.target import check_services
from compose.commands.volume_changes import settle_volumes
from compose.reconcile import names
from compose.reconcile.conditions import ENDED
from compose.reconcile.execute import execute
from compose.reconcile.lifecycle import plan_kill, plan_stop
from compose.reconcile.observe import observe_containers
from compose.reconcile.perform import Performer, Settings
from compose.reconcile.plan import plan_up, selected_services
from compose.ui.logs import LogPrinter, stamp_of
from compose.ui.progress import PlainSteps, QuietSteps
from engine import LogLine

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable, Sequence

    from compose.commands.context import Context
    from compose.model import Project
    from compose.reconcile.observe import Observed
    from compose.reconcile.plan import UpOptions
    from compose.reconcile.step import Step
    from engine import Container, Listener

FORCED = 130  # 128 + SIGINT
STOPPING = "Gracefully Stopping... press Ctrl+C again to force"


async def up_attached(
    args: argparse.Namespace,
    context: Context,
    project: Project,
    options: UpOptions,
    refreshing: Sequence[Step],
) -> int:
    """Create what is missing, then start and follow. The exit code of `up`."""
    settings = Settings(
        grace_s=args.timeout,
        pull=args.pull,
        quiet_pull=args.quiet_pull,
        quiet_build=args.quiet_build,
    )
    if refreshing:
        await apply(context, refreshing, settings, project, title="up")
    observed = context.observe(project)
    context.warn_of(project, observed, options)
    options = settle_volumes(context, project, observed, options, yes=args.yes)
    if context.options.dry_run:
        steps = plan_up(project, observed, options)
        await apply(context, steps, settings, project, title="up")
        return 0
    creation = plan_up(project, observed, options.replace(start=False))
    if creation:
        await apply(context, creation, settings, project, title="up")
    return await AttachedRun(args, context, project, options, settings).run()


class AttachedRun:
    """One foreground run: what it starts, follows, and stops again.

    Every task belongs to one group: the run is over when all is started and every container that
    is followed has ended for good.
    """

    def __init__(
        self,
        args: argparse.Namespace,
        context: Context,
        project: Project,
        options: UpOptions,
        settings: Settings,
    ) -> None:
        self._args, self._context, self._project = args, context, project
        self._options, self._settings = options, settings
        self._engine = context.engine
        self._followed = followed_services(args, project)
        self._services = selected_services(
            project, options.services, dependencies=not options.no_deps
        )
        self._printer = LogPrinter(
            context.console,
            colour=not args.no_color,
            prefix=not args.no_log_prefix,
            timestamps=args.timestamps,
            stderr=True,
        )
        self._begun_s = time.time()
        self._following = Following(
            self._engine,
            self._printer,
            project.name,
            since=stamp_of(self._begun_s),
            on_restart=self._announce_restart,
            on_end=self._ended,
        )
        self._exit_code: int | None = None
        self._stopping = False

    async def run(self) -> int:
        """Start, follow, and return the exit code."""
        observed = self._observe()
        steps = plan_up(self._project, observed, self._options)
        names_shown = sorted(map(self._short_name, self._shown(observed)))
        for name in names_shown:
            self._printer.add(name)
        self._context.console.status(f"Attaching to {', '.join(names_shown)}")
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._interrupted)
        async with asyncio.TaskGroup() as self._group:
            self._hear_running(self._shown(observed))
            self._group.create_task(self._following.run(self._running, self._is_starting))
            self._starting = self._group.create_task(self._start(steps))
            self._starting.add_done_callback(lambda _: self._following.look())
        return self._exit_code or 0

    def _observe(self) -> Observed:
        return self._context.observe(self._project)

    def _shown(self, observed: Observed) -> list[Container]:
        return [one for name in self._followed for one in observed.of_service(name)]

    def _short_name(self, container: Container) -> str:
        return names.short_name(container.name, self._project.name)

    # Starting

    async def _start(self, steps: Sequence[Step]) -> None:
        perform = Performer(self._engine, self._project, self._settings, hear=self._hear)
        report = QuietSteps(self._context.console)
        await execute(steps, perform, report, parallel_limit(self._context.options.parallel))
        self._context.show_notices()
        observed = observe_containers(self._engine, self._project.name)
        say_exposure(self._context, self._project, observed, self._services)

    def _is_starting(self) -> bool:
        return not self._starting.done()

    # Hearing those that keep no log

    def _hear(self, container_id: str) -> Callable[[Listener], object] | None:
        """Who shows what a container writes that is about to be started."""
        container = self._engine.containers.get(container_id)
        if not self._is_only_heard(container):
            return None
        return lambda listener: self._group.create_task(self._show(container, listener))

    def _is_only_heard(self, container: Container) -> bool:
        service = container.labels.get(names.SERVICE)
        return container.log_driver == "none" and service in self._followed

    def _hear_running(self, containers: Iterable[Container]) -> None:
        for container in containers:
            if container.status == "running" and self._is_only_heard(container):
                listener = self._engine.containers.listen(container.id)
                if listener is not None:
                    self._group.create_task(self._show(container, listener))

    async def _show(self, container: Container, listener: Listener) -> None:
        name = self._short_name(container)
        partial: dict[str, bool] = {}
        async for stream, chunk in listener:
            *lines, rest = chunk.split(b"\n")
            partial[stream] = bool(rest) or (partial.get(stream, False) and not lines)
            stamp = stamp_of(time.time())
            entries = [LogLine(stamp, stream, text, False) for text in lines]
            entries += [LogLine(stamp, stream, rest, True)] if rest else []
            self._printer.lines((name, entry) for entry in entries)
        ends = (LogLine(stamp_of(time.time()), one, b"", False) for one in partial if partial[one])
        self._printer.lines((name, entry) for entry in ends)

    # Following

    def _running(self) -> list[Container]:
        """What is shown, without what had ended before this run."""
        observed = observe_containers(self._engine, self._project.name)
        return [
            container
            for container in self._shown(observed)
            if container.status not in ENDED or (container.started_at or 0.0) >= self._begun_s
        ]

    def _announce_restart(self, name: str, exit_code: int) -> None:
        self._printer.event(name, f"exited with code {exit_code} (restarting)")

    def _ended(self, name: str, container: Container) -> None:
        """One container ended for good: say so, and stop all where that was asked for."""
        args, code = self._args, container.exit_code or 0
        self._printer.event(name, f"exited with code {code}")
        service = container.labels.get(names.SERVICE)
        failing = args.abort_on_container_failure
        aborting = args.abort_on_container_exit or (args.exit_code_from and not failing)
        if service == args.exit_code_from or (
            args.exit_code_from is None and self._exit_code is None and (aborting or failing)
        ):
            self._exit_code = code
        if (aborting or (failing and code)) and not self._stopping:
            self._stop()

    # Stopping

    def _interrupted(self) -> None:
        """SIGINT or SIGTERM: stop gracefully; a second one kills."""
        if not self._stopping:
            self._context.console.status(STOPPING)
            self._stop()
        else:
            self._exit_code = FORCED
            self._group.create_task(self._kill_all())

    def _stop(self) -> None:
        self._stopping = True
        self._starting.cancel()
        self._group.create_task(self._stop_all())

    async def _stop_all(self) -> None:
        steps = plan_stop(self._observe(), tuple(self._services))
        perform = Performer(self._engine, self._project, self._settings)
        await execute(steps, perform, PlainSteps(self._context.console))

    async def _kill_all(self) -> None:
        ours = [one for name in self._services for one in self._observe().of_service(name)]
        steps = plan_kill(ours, self._project.name, "SIGKILL")
        perform = Performer(self._engine, self._project, self._settings)
        # One that has ended meanwhile is no failure: what is left is stopped by `_stop_all`.
        try:
            await execute(steps, perform, QuietSteps(self._context.console))
        except ExceptionGroup as group:
            if group.split(ProcessLookupError)[1] and self._still_runs():
                raise

    def _still_runs(self) -> bool:
        return bool(plan_stop(self._observe(), tuple(self._services)))


def followed_services(args: argparse.Namespace, project: Project) -> list[str]:
    """Services whose logs are shown. Raises UnknownService."""
    check_services((*args.attach, *args.no_attach), project.services)
    if args.exit_code_from is not None:
        check_services((args.exit_code_from,), project.services)
    chosen = selected_services(
        project, tuple(args.services), dependencies=args.attach_dependencies or not args.services
    )
    attached = args.attach or [
        name for name, service in chosen.items() if service.attach or name in args.services
    ]
    return [name for name in attached if name not in args.no_attach]
