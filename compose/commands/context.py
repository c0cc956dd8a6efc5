"""What a verb works with: the engine, the project, the console."""

from __future__ import annotations

from compose.ui.console import Console

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Coroutine, Iterable

    from compose.model import Project
    from compose.reconcile.observe import Observed
    from compose.reconcile.plan import UpOptions
    from engine import Engine

ORPHANS = (
    "Found orphan containers ({}) for this project. If you removed or renamed this service in "
    "your compose file, you can run this command with the --remove-orphans flag to clean it up."
)


class Context:
    """The engine (opened when first asked for), the project and the console of one command."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.console = Console(options.ansi, options.progress)
        self._engine: Engine | None = None
        self._notices_shown = 0

    @property
    def engine(self) -> Engine:
        """The engine at --root and --run-root. Raises NotRoot where we are not root."""
        if self._engine is None:
            self._engine = open_engine(self.options)
        return self._engine

    def load_project(self, args: argparse.Namespace) -> Project:
        """The project that -f, -p, --env-file, --profile and the named services speak of; patterns
        among those, as `web*`, become the names that they match."""
        from compose.commands.loading import cache_directory, load_options
        from compose.graph.cache import load_cached
        from compose.graph.selection import matching
        from engine import Roots

        roots = Roots.from_environment(self.options.root, self.options.run_root)
        project = load_cached(load_options(args), cache_directory(roots.root))
        if isinstance(services := getattr(args, "services", None), list):
            args.services = matching(services, project.services)
        return project

    def project_name(self) -> str | None:
        """The name that the user gave: -p, or COMPOSE_PROJECT_NAME."""
        import os

        name: str | None = self.options.project_name
        return name or os.environ.get("COMPOSE_PROJECT_NAME") or None

    def observe(self, project: Project) -> Observed:
        """What exists of the project."""
        from compose.reconcile.observe import observe

        return observe(self.engine, project.name, project)

    def warn_of(self, project: Project, observed: Observed, options: UpOptions) -> None:
        """Say what the file's loader noticed, what is wrong with networks that a plan does not put
        right, and which containers are orphans."""
        from compose.commands.parsing import flag_from_environment
        from compose.reconcile import names
        from compose.reconcile.decide import find_orphans

        for notice in project.warnings:
            where = f"{notice.where}: " if notice.where else ""
            self.console.warn(f"{where}{notice.what}")
        for fault in observed.faults:
            if fault.hint:
                self.console.warn(f"network {fault.network}: {fault} ({fault.hint})")
        if options.remove_orphans or flag_from_environment("COMPOSE_IGNORE_ORPHANS"):
            return
        orphans = find_orphans(project, observed)
        if orphans:
            shown = ", ".join(names.short_name(one.name, project.name) for one in orphans)
            self.console.warn(ORPHANS.format(shown))

    def say_running(self, project: Project, observed: Observed, services: Iterable[str]) -> None:
        """One line for each container of a project that needs no change."""
        from compose.reconcile import names

        if self.console.progress in ("quiet", "none"):
            return
        for service in services:
            for container in observed.of_service(service):
                name = names.short_name(container.name, project.name)
                self.console.status(f" Container {name}  Running")

    def show_notices(self) -> None:
        """Say what the engine has noticed about the host since this was last called."""
        notices = self._engine.notices if self._engine is not None else []
        for notice in notices[self._notices_shown :]:
            self.console.warn(notice)
        self._notices_shown = len(notices)

    def complete(self, result: int | Coroutine[None, None, int]) -> int:
        """Run what a verb's `run` returned to its end and let go of the engine."""
        if isinstance(result, int):
            if self._engine is not None:
                self._engine.close()
            return result
        import asyncio

        return asyncio.run(self._closing(result))

    async def _closing(self, work: Coroutine[None, None, int]) -> int:
        try:
            return await work
        finally:
            self.show_notices()
            if self._engine is not None:
                self._engine.close()


def open_engine(options: argparse.Namespace) -> Engine:
    """The engine for the global options. Raises NotRoot."""
    import os
    import sys

    from engine import Engine, Roots
    from engine.errors import NotRoot

    if os.geteuid() != 0:
        words = " ".join(sys.argv[1:])
        raise NotRoot(
            "containers, networks and mounts need root",
            hint=f"sudo buoy {words}; `buoy config` and `buoy plan` work without",
        )
    return Engine(Roots.from_environment(options.root, options.run_root))
