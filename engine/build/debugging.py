"""A look at the state before a step that failed, while it is still there."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from engine.build.copying import scratch
from engine.build.provide import Provided
from engine.build.sandbox import container_spec
from engine.kernel.record import Record

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from engine.build.job import Job
    from engine.build.state import StageState
    from engine.containers.spec import ContainerSpec
    from engine.errors import Problem


class FailedStep(Record):
    """A step that did not work.

    problem  why; it is raised when the look is over
    spec     of a container as RUN has it there: user, directory, environment and mounts are those
             of the step. Its command is still to be said
    shell    SHELL: a command's text may be added to it
    """

    problem: Problem
    spec: ContainerSpec
    shell: tuple[str, ...]


if TYPE_CHECKING:
    Look = Callable[[FailedStep], Awaitable[None]]


class Debugger:
    """Has each failure looked at once, one at a time: the terminal is one."""

    def __init__(self, look: Look) -> None:
        self._look = look
        self._lock = asyncio.Lock()
        self._seen: list[Problem] = []

    async def look(self, failed: FailedStep) -> None:
        """Returns when the look is over. Stages that wait for the one that failed get the same
        problem: it is theirs no more."""
        if any(problem is failed.problem for problem in self._seen):
            return
        self._seen.append(failed.problem)
        async with self._lock:
            await self._look(failed)


async def look_at(
    job: Job, state: StageState, problem: Problem, spec: ContainerSpec | None = None
) -> None:
    """Have the state before a step that failed looked at, where that was asked for.

    spec  None: for a step that has no container
    """
    if job.debugger is None:
        return
    with scratch(job.scratch_root, ()) as empty:
        if spec is None:
            lowers = job.engine.images.lowers(state.chain_ids) or (empty.upper,)
            spec = container_spec(job, state, lowers, Provided(), network=job.spec.network)
        await job.debugger.look(FailedStep(problem=problem, spec=spec, shell=state.shell))
