"""Carry out a plan: each step after its needs, side by side where it can be. Decides nothing."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from compose.reconcile.step import Step

    Perform = Callable[[Step], Awaitable[str | None]]

PARALLEL = 8


class Report(Protocol):
    """What is told of each step as it happens."""

    def started(self, step: Step) -> None: ...

    def done(self, step: Step, word: str | None) -> None:
        """`word`: what came of it where that is not the action itself: Healthy, Exited."""

    def failed(self, step: Step, error: Exception) -> None: ...

    def skipped(self, step: Step) -> None: ...


async def execute(
    steps: Sequence[Step], perform: Perform, report: Report, parallel: int = PARALLEL
) -> None:
    """Perform each step after its `needs`, at most `parallel` at once; waits take no slot.

    A failure skips the steps that need the failed one, and theirs; all others go on. What failed
    is raised at the end, together, as an ExceptionGroup; but not a wait that all who need it
    tolerate to fail (`depends_on.required: false`). Cancelled, it cancels what is under way
    (`perform` undoes its half-made things) and starts nothing more.
    """
    slots = asyncio.Semaphore(parallel)
    optional = _optional_waits(steps)
    outcomes: dict[int, asyncio.Task[bool]] = {}
    errors: list[Exception] = []

    async def ready(step: Step) -> bool:
        known = [need for need in step.needs if need in outcomes]
        results = [await asyncio.shield(outcomes[need]) for need in known]
        return all(
            result or need in step.tolerates for need, result in zip(known, results, strict=True)
        )

    async def attempt(step: Step) -> bool:
        report.started(step)
        try:
            word = await perform(step)
        except Exception as error:  # noqa: BLE001 - raised below, with the others
            if step.id not in optional:
                errors.append(error)
            report.failed(step, error)
            return False
        report.done(step, word)
        return True

    async def run(step: Step) -> bool:
        if not await ready(step):
            report.skipped(step)
            return False
        if step.action == "wait":
            return await attempt(step)
        async with slots:
            return await attempt(step)

    async with asyncio.TaskGroup() as group:
        for step in steps:
            outcomes[step.id] = group.create_task(run(step), name=str(step))
    if errors:
        raise ExceptionGroup("some steps failed", errors)


def _optional_waits(steps: Sequence[Step]) -> set[int]:
    tolerated = {need for step in steps for need in step.tolerates}
    required = {need for step in steps for need in step.needs if need not in step.tolerates}
    waits = {step.id for step in steps if step.action == "wait"}
    return (waits & tolerated) - required
