"""`buoy build --debug`: a shell in the state before the step that failed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compose.commands.debugging import SHELL
from compose.commands.docker_config import detach_keys
from compose.ui.problems import format_problem
from engine import AttachSpec

if TYPE_CHECKING:
    from compose.commands.context import Context
    from compose.ui.build_progress import BuildReport
    from engine import FailedStep


class BuildShell:
    """Looks at failed steps: with a shell, or with the command that --debug gives.

    report  of the build; it is silent meanwhile
    """

    def __init__(self, context: Context, command: str, report: BuildReport) -> None:
        self._context, self._command, self._report = context, command, report

    async def __call__(self, failed: FailedStep) -> None:
        """Returns when the shell has ended, or is detached from."""
        alone = self._command == SHELL
        argv = (failed.shell[0],) if alone else (*failed.shell, self._command)
        self._report.pause()
        try:
            await self._run(failed, argv, tty=alone)
        finally:
            self._report.resume()

    async def _run(self, failed: FailedStep, argv: tuple[str, ...], *, tty: bool) -> None:
        status, containers = self._context.console.status, self._context.engine.containers
        status(format_problem(failed.problem))
        status(f"debug: `{' '.join(argv)}` in the state before the step that failed")
        container = containers.create(failed.spec.replace(command=argv, tty=tty, stdin_open=tty))
        try:
            attached = AttachSpec(stdin=tty, keys=detach_keys(), lossless=True)
            await containers.run(container.id, attached, self._context.console.warn)
            await containers.wait(container.id, lambda one: one.status == "exited")
        finally:
            if containers.get(container.id).status in ("running", "restarting", "paused"):
                await containers.stop(container.id, grace_s=0)
            containers.remove(container.id, volumes=True)
