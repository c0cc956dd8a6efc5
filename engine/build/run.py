"""RUN: a container on the layers so far, whose upper directory becomes the next layer
(engine.md D6.13)."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import os
import re
from typing import TYPE_CHECKING

from engine.build.cache import digest
from engine.build.copying import scratch
from engine.build.debugging import look_at
from engine.build.job import LayerStep
from engine.build.provide import RunMounts
from engine.build.sandbox import ENDED, container_spec, put_away
from engine.build.stubs import ALWAYS, missing_stubs, remove_stubs
from engine.build.times import keep_layer
from engine.containers.spec import ContainerSpec, Mount
from engine.errors import BuildProblem, ContainerProblem
from engine.kernel.record import Record

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.build.expander import Expander
    from engine.build.instructions import Run
    from engine.build.job import Job
    from engine.build.progress import StepReport
    from engine.build.state import StageState
    from engine.containers.observed import Container

_SCRIPT_DIRECTORY = "/dev/pipes"
_TAIL_LINES = 20
_RULE = "-" * 6
_ONLY_HEREDOC = re.compile(r"\s*\d*<<-?\S+\s*")


class _Script(Record):
    """A heredoc that is a program of its own: `#!/usr/bin/env python3` and what follows."""

    path: str
    body: str


async def plan_run(
    job: Job, instruction: Run, state: StageState, expander: Expander, stage_number: int
) -> LayerStep:
    """What a RUN would do, its bind mounts measured. Raises BuildProblem."""
    check_entitled(job, instruction)
    mounts = await RunMounts.of(job, instruction, expander, state.directory, stage_number)
    return await _RunPlan(job, instruction, state, mounts).step()


def check_entitled(job: Job, run: Run) -> None:
    """Raise BuildProblem for what a RUN may only do where whoever builds says so."""
    for asked, entitlement, flag in (
        (run.network == "host" and job.spec.network != "host", "network.host", "--network=host"),
        (run.privileged, "security.insecure", "--security=insecure"),
    ):
        if asked and entitlement not in job.spec.entitlements:
            raise BuildProblem(
                f"RUN {flag} needs the entitlement {entitlement}",
                where=run.locate_word(flag),
                hint=f"`entitlements: [{entitlement}]` below `build`, or --allow {entitlement}",
                code="not-entitled",
            )


def argv_of(instruction: Run, shell: tuple[str, ...]) -> tuple[tuple[str, ...], _Script | None]:
    """The command line of a RUN, and the script it is where it is one.

    A heredoc alone is the shell's text, or a program if it begins with `#!`; heredocs in a
    command are given to the shell as they stand.
    """
    command, heredocs = instruction.command, instruction.heredocs
    if not command.shell:
        return command.words, None
    text = command.words[0]
    if len(heredocs) == 1 and _ONLY_HEREDOC.fullmatch(text):
        body = heredocs[0].body
        if body.startswith("#!"):
            script = _Script(path=f"{_SCRIPT_DIRECTORY}/{heredocs[0].name}", body=body)
            return (script.path,), script
        return (*shell, body), None
    bodies = "".join(f"\n{doc.body}{doc.terminator}" for doc in heredocs)
    return (*shell, text + bodies), None


class _RunPlan:
    def __init__(self, job: Job, instruction: Run, state: StageState, mounts: RunMounts) -> None:
        self._job, self._instruction, self._state = job, instruction, state
        self._mounts = mounts
        self._argv, self._script = argv_of(instruction, state.shell)
        network = instruction.network
        self._network = job.spec.network if network == "default" else network

    async def step(self) -> LayerStep:
        record = {
            "instruction": self._instruction.text,
            "step": "RUN",
            "parent": self._state.top,
            "argv": list(self._argv),
            "script": digest(self._script.body) if self._script else "",
            "environment": dict(self._state.variables),
            "arguments": dict(self._state.arguments),
            "user": self._state.config.user,
            "directory": self._state.directory,
            "network": self._network,
            "hosts": [list(pair) for pair in self._job.spec.extra_hosts],
            "privileged": self._instruction.privileged,
            "mounts": await self._mounts.record(),
            "platform": self._job.platform,
        }
        return LayerStep(record=record, created_by=self._created_by(), make=self._make)

    def _created_by(self) -> str:
        arguments = self._state.arguments
        given = "".join(f" {name}={value}" for name, value in arguments.items())
        prefix = f"|{len(arguments)}{given} " if arguments else ""
        return f"RUN {prefix}{' '.join(self._argv)}"

    async def _make(self, report: StepReport) -> str | None:
        lowers = self._job.engine.images.lowers(self._state.chain_ids)
        async with contextlib.AsyncExitStack() as held:
            provided = await self._mounts.provide(held)
            if self._script:
                script = self._bind_script(self._script, held)
                provided = provided.replace(mounts=(*provided.mounts, script))
            lowers = lowers or (held.enter_context(scratch(self._job.scratch_root, ())).upper,)
            stubs = missing_stubs(lowers, [*ALWAYS, *provided.targets])
            spec = container_spec(
                self._job,
                self._state,
                lowers,
                provided,
                network=self._network,
                privileged=self._instruction.privileged,
            ).replace(command=self._argv)
            try:
                return await self._in_container(spec, provided.secrets, stubs, report)
            except BuildProblem as problem:
                await look_at(self._job, self._state, problem, spec)
                raise

    def _bind_script(self, script: _Script, held: contextlib.AsyncExitStack) -> Mount:
        place = held.enter_context(scratch(self._job.scratch_root, ()))
        path = f"{place.upper}/script"
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o755)
        with os.fdopen(fd, "w", encoding="utf-8") as file:
            file.write(script.body)
        os.chmod(path, 0o755)
        return Mount(type="bind", source=path, target=script.path, read_only=True)

    async def _in_container(
        self,
        spec: ContainerSpec,
        secrets: Mapping[str, str],
        stubs: list[str],
        report: StepReport,
    ) -> str | None:
        job, containers = self._job, self._job.engine.containers
        container = containers.create(spec)
        try:
            await self._start(container, secrets)
            tail = await self._follow(container.id, report)
            ended = await containers.wait(container.id, lambda found: found.status in ENDED)
            self._check(ended, tail, report.step)
            upper = f"{job.engine.roots.container(container.id)}/upper"
            remove_stubs(upper, stubs, spec.lowers)
            return await keep_layer(job, upper, self._state.chain_ids)
        finally:
            await asyncio.shield(put_away(job, container.id))

    async def _start(self, container: Container, secrets: Mapping[str, str]) -> None:
        try:
            await self._job.engine.containers.start(container.id, secrets=secrets)
        except ContainerProblem as problem:
            what = problem.what.removeprefix(f"container {container.name}: ")
            where = self._instruction.where
            raise BuildProblem(what, where=where, hint=problem.hint, code=problem.code) from None

    async def _follow(self, container_id: str, report: StepReport) -> list[str]:
        """Report the output as it comes; its last lines."""
        tail: collections.deque[str] = collections.deque(maxlen=_TAIL_LINES)
        async for line in self._job.engine.containers.follow(container_id):
            text = line.text.decode("utf-8", "replace")
            tail.append(report.output(text))
        return list(tail)

    def _check(self, container: Container, tail: list[str], step: str) -> None:
        if container.exit_code == 0:
            return
        problem = BuildProblem(
            f'process "{" ".join(self._argv)}" did not complete successfully: '
            f"exit code: {container.exit_code}",
            where=self._instruction.where,
            hint="it ran out of memory" if container.oom_killed else None,
            code="build-step-failed",
        )
        if tail:
            problem.excerpt = "\n".join([_RULE, f" > {step}:", *tail, _RULE])
        raise problem
