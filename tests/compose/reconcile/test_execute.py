"""Plans carried out by small coroutines of real work: order, failures, cancelling."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import pytest

from compose.reconcile.execute import execute
from compose.reconcile.step import Step

if TYPE_CHECKING:
    from compose.reconcile.step import Action


class Record:
    """Remembers what was reported, in order."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def started(self, step: Step) -> None:
        self.lines.append(f"started {step.name}")

    def done(self, step: Step, word: str | None) -> None:
        self.lines.append(f"{word or 'done'} {step.name}")

    def failed(self, step: Step, error: Exception) -> None:
        self.lines.append(f"failed {step.name}: {error}")

    def skipped(self, step: Step) -> None:
        self.lines.append(f"skipped {step.name}")


def step(number: int, name: str, *needs: int, action: Action = "start") -> Step:
    return Step(
        id=number, action=action, kind="container", name=name, cause="asked for", needs=needs
    )


async def _nothing(_: Step) -> None:
    await asyncio.sleep(0)


def test_a_step_starts_only_when_what_it_needs_is_done() -> None:
    record = Record()
    plan = [step(2, "web", 1), step(1, "db")]
    asyncio.run(execute(plan, _nothing, record))
    assert record.lines == ["started db", "done db", "started web", "done web"]


def test_a_failure_skips_its_dependents_and_theirs_and_nothing_else() -> None:
    async def perform(at: Step) -> None:
        if at.name == "db":
            raise OSError("no space")

    record = Record()
    plan = [step(1, "db"), step(2, "web", 1), step(3, "proxy", 2), step(4, "cache")]
    with pytest.raises(ExceptionGroup) as failure:
        asyncio.run(execute(plan, perform, record))
    assert [str(error) for error in failure.value.exceptions] == ["no space"]
    assert {"failed db: no space", "skipped web", "skipped proxy", "done cache"} <= set(
        record.lines
    )
    assert "started web" not in record.lines


def test_a_tolerated_failure_lets_the_next_step_run() -> None:
    async def perform(at: Step) -> None:
        if at.name == "db":
            raise OSError("no space")

    record = Record()
    tolerant = Step(
        id=2,
        action="start",
        kind="container",
        name="web",
        cause="asked for",
        needs=(1,),
        tolerates=(1,),
    )
    with pytest.raises(ExceptionGroup):
        asyncio.run(execute([step(1, "db"), tolerant], perform, record))
    assert "done web" in record.lines


@pytest.mark.parametrize("fails", [False, True])
def test_a_wait_that_nobody_insists_on_may_fail(fails: bool) -> None:
    async def perform(at: Step) -> None:
        if at.action == "wait":
            raise OSError("unhealthy")

    wait = step(1, "db", action="wait")
    web = step(2, "web", 1).replace(tolerates=(1,))
    strict = [step(3, "job", 1)] if fails else []
    record = Record()
    with pytest.raises(ExceptionGroup) if fails else contextlib.nullcontext():
        asyncio.run(execute([wait, web, *strict], perform, record))
    assert {"failed db: unhealthy", "done web"} <= set(record.lines)


def test_no_more_steps_at_once_than_allowed_and_waits_do_not_count() -> None:
    running = most = 0

    async def perform(at: Step) -> None:
        nonlocal running, most
        if at.action == "wait":
            await asyncio.sleep(0.05)
            return
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.01)
        running -= 1

    waits = [step(number, "w", action="wait") for number in range(10, 14)]
    starts = [step(number, "s") for number in range(1, 7)]
    asyncio.run(execute([*waits, *starts], perform, Record(), parallel=2))
    assert most == 2


def test_cancelling_stops_what_is_under_way_and_starts_nothing_more() -> None:
    undone: list[str] = []
    begun = asyncio.Event()

    async def perform(at: Step) -> None:
        begun.set()
        try:
            await asyncio.sleep(1000)
        except asyncio.CancelledError:
            undone.append(at.name)
            raise

    async def cancelled() -> Record:
        record = Record()
        work = asyncio.create_task(execute([step(1, "db"), step(2, "web", 1)], perform, record))
        await begun.wait()
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
        return record

    assert asyncio.run(cancelled()).lines == ["started db"]
    assert undone == ["db"]
