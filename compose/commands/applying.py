"""Carrying out a plan from a verb: progress, limits, and `--dry-run`."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from compose.reconcile.execute import PARALLEL, execute
from engine.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from compose.commands.context import Context
    from compose.model import Project
    from compose.reconcile.perform import Settings
    from compose.reconcile.step import Step
    from compose.ui.console import Console

UNLIMITED = 1_000_000


async def apply(
    context: Context,
    steps: Sequence[Step],
    settings: Settings,
    project: Project | None = None,
    *,
    title: str,
) -> None:
    """Carry out `steps`, showing them under `title`; with `--dry-run` only print them.

    Raises an ExceptionGroup of what failed, after all else was done.
    """
    if context.options.dry_run:
        for step in steps:
            context.console.out(f"DRY-RUN MODE - {step}")
        return
    from compose.reconcile.perform import Performer
    from compose.ui.progress import step_report

    with step_report(context.console, steps, title) as report:
        perform = Performer(context.engine, project, settings, detail=report.detail)
        try:
            await execute(steps, perform, report, parallel_limit(context.options.parallel))
        finally:
            for warning in perform.warnings:
                context.console.warn(warning)


@contextlib.contextmanager
def failures_as_warnings(console: Console, *, wanted: bool) -> Iterator[None]:
    """With `wanted`, Problems of the steps that were carried out are shown and forgotten."""
    try:
        yield
    except ExceptionGroup as group:
        if not wanted or group.split(Problem)[1] is not None:
            raise
        for problem in group.exceptions:
            console.warn(str(problem))


def parallel_limit(given: int | None) -> int:
    """How many steps at once: --parallel, COMPOSE_PARALLEL_LIMIT; -1 is without limit."""
    if given is None:
        text = os.environ.get("COMPOSE_PARALLEL_LIMIT", "")
        if not text:
            return PARALLEL
        try:
            given = int(text)
        except ValueError:
            raise Problem(
                f"COMPOSE_PARALLEL_LIMIT has to be a number, not `{text}`", code="usage"
            ) from None
    return given if given > 0 else UNLIMITED
