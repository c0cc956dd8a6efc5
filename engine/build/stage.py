"""One stage, instruction by instruction, with the cache in between."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.build import apart
from engine.build import instructions as ins
from engine.build.cache import Cached, key_of, place_of
from engine.build.debugging import look_at
from engine.build.dockerfile import parse_text
from engine.build.expander import Expander
from engine.build.files import plan_copy, plan_workdir
from engine.build.origin import fetch_image, image_reference, told_to
from engine.build.platforms import check_native
from engine.build.reasons import PARENT_CHANGED, why
from engine.build.run import plan_run
from engine.build.settings import Scope, apply_setting
from engine.build.stages import find_stage
from engine.build.state import DEFAULT_PATH, StageState
from engine.build.times import made_at
from engine.errors import BuildProblem, Problem
from engine.images.config import ImageConfig
from engine.state.turns import turn

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.build.instructions import Instruction, StageSource
    from engine.build.job import Job, LayerStep
    from engine.build.progress import StepReport
    from engine.images.image import Image

_LAYER_MAKERS = (ins.Run, ins.Copy)


def makes_layer(instruction: Instruction) -> bool:
    """Whether the instruction is a step of its own in what is reported."""
    if isinstance(instruction, ins.Setting):
        return instruction.kind == "WORKDIR"
    return isinstance(instruction, _LAYER_MAKERS)


class StageBuilder:
    """Builds one stage of a job. `places` are the keys used, by place, for the next build."""

    def __init__(self, job: Job, stage: StageSource) -> None:
        self._job, self._stage = job, stage
        self._scope = Scope(job.spec.args, job.arguments)
        self._escape = job.dockerfile.escape
        self._steps = 1 + sum(map(makes_layer, stage.instructions))
        self._step = 1
        self._changed = ""  # the first step that is not what it was
        self.places: dict[str, str] = {}

    @property
    def _runs_all(self) -> bool:
        """Whether no step of it is taken from the cache."""
        spec = self._job.spec
        names = [name.lower() for name in spec.no_cache_stages]
        return spec.no_cache or (self._stage.start.alias or "") in names

    async def build(self) -> StageState:
        """The state at its end. Raises Problem."""
        state = await self._start()
        for instruction in self._stage.instructions:
            state = await self._apply(instruction, state)
        return state

    # FROM

    async def _start(self) -> StageState:
        start = self._stage.start
        expander = Expander(start, self._job.arguments, self._escape)
        name = expander.word(start.image)
        if not name:
            raise BuildProblem(
                f"the base name `{start.image}` comes to nothing",
                where=start.locate_word(start.image),
                hint="an ARG before the first FROM, or --build-arg, must give it a value",
                code="no-base-name",
            )
        self._check_platform(start, expander)
        report = self._job.reporter.start(self._label(f"FROM {name}"))
        state = await self._base(name, report)
        report.done()
        return await self._triggered(_with_variables(state))

    async def _base(self, name: str, report: StepReport) -> StageState:
        job, start = self._job, self._stage.start
        if name == "scratch":
            return StageState(config=ImageConfig(working_dir="/"))
        if name not in job.spec.additional_contexts:
            earlier = find_stage(job.dockerfile, name, self._stage.number)
            if earlier is not None:
                state = await job.stage(earlier.number)
                return state.replace(command_is_own=False)
        reference = image_reference(job, name, start)
        image = await fetch_image(job, reference, start, told_to(report))
        return self._from_image(image)

    def _from_image(self, image: Image) -> StageState:
        if not image.chain_ids and image.lowers:
            raise BuildProblem(
                f"{image.id} is a directory of this machine: an image cannot be built on it",
                where=self._stage.start.locate_word(self._stage.start.image),
                hint="COPY --from takes files out of it",
                code="not-an-image",
            )
        return StageState(
            chain_ids=image.chain_ids,
            config=image.config,
            base_history=tuple(self._job.engine.images.document(image.id).get("history") or ()),
            created=image.created or None,
        )

    async def _triggered(self, state: StageState) -> StageState:
        """ONBUILD instructions of the base, run here and not handed on."""
        triggers = state.config.on_build
        config = state.config.replace(on_build=())
        state = state.replace(config=config)
        for trigger in triggers:
            where = f"ONBUILD of {self._stage.start.image}"
            for instruction in parse_text(trigger, where, self._escape):
                self._steps += makes_layer(instruction)
                state = await self._apply(instruction, state)
        return state

    def _check_platform(self, start: ins.From, expander: Expander) -> None:
        if start.platform is None:
            return
        platform = expander.word(start.platform)
        if platform:
            check_native(platform, start.locate_word(start.platform))

    # What follows

    async def _apply(self, instruction: Instruction, state: StageState) -> StageState:
        try:
            return await self._applied(instruction, state)
        except Problem as problem:
            await look_at(self._job, state, problem)
            raise

    async def _applied(self, instruction: Instruction, state: StageState) -> StageState:
        expander = Expander(instruction, state.variables, self._escape)
        number = self._stage.number
        if isinstance(instruction, ins.Run):
            step = await plan_run(self._job, instruction, state, expander, number)
        elif isinstance(instruction, ins.Copy):
            step = await plan_copy(self._job, instruction, state, expander, number)
        elif isinstance(instruction, ins.Setting) and instruction.kind == "WORKDIR":
            state, made = plan_workdir(self._job, instruction, state, expander)
            if made is None:
                self._step += 1
                return state
            step = made
        else:
            return apply_setting(instruction, state, expander, self._scope)
        self._step += 1
        return await self._perform(instruction, step, state)

    async def _perform(
        self, instruction: Instruction, step: LayerStep, state: StageState
    ) -> StageState:
        job = self._job
        if job.epoch_s is not None:
            step = step.replace(record={**step.record, "epoch": job.epoch_s})
        key = key_of(step.record)
        place = place_of(job.path, self._stage.name, str(self._step))
        report = job.reporter.start(self._label(instruction.text))
        cached = await self._find(key, report)
        if cached is None:
            async with turn(job.turns, key, lambda: report.note("waiting for another build")):
                cached = (
                    await self._find(key, report)
                    or await self._find_apart(key, step, state, report)
                    or await self._make(key, place, instruction, step, report)
                )
        self.places[place] = key
        if job.cache.is_another(place, key):
            self._changed = self._changed or f"step {self._step}"
        return state.with_layer(cached.chain_id, step.created_by, cached.created)

    async def _find(self, key: str, report: StepReport) -> Cached | None:
        if self._runs_all:
            return None
        cached = self._job.cache.find(key) or await self._job.offers.take(key, report)
        if cached is not None:
            report.cached()
        return cached

    async def _find_apart(
        self, key: str, step: LayerStep, state: StageState, report: StepReport
    ) -> Cached | None:
        if self._runs_all or not step.apart:
            return None
        cached = await apart.find(self._job, key, step.record, state.chain_ids)
        if cached is not None:
            report.cached()
        return cached

    async def _make(
        self, key: str, place: str, instruction: Instruction, step: LayerStep, report: StepReport
    ) -> Cached:
        reason = self._reason(place, step.record)
        if reason:
            report.note(f"run again: {reason}")
        try:
            async with self._job.slots:
                chain_id = await step.make(report)
        except Problem as problem:
            report.failed(problem.what.partition("\n")[0])
            problem.where = problem.where or instruction.where
            raise
        made = Cached(chain_id=chain_id, created=made_at(self._job.epoch_s))
        self._job.cache.add(key, step.record, made)
        if step.apart:
            apart.remember(self._job, step.record, made)
        report.done()
        return made

    def _reason(self, place: str, record: Mapping[str, object]) -> str | None:
        if self._runs_all:
            return "--no-cache" if self._job.spec.no_cache else "--no-cache-filter"
        reason = why(self._job.cache.previous(place), record)
        if reason == PARENT_CHANGED:
            return f"{reason}: {self._changed or self._stage.start.text}"
        return reason

    def _label(self, text: str) -> str:
        stages = self._job.dockerfile.stages
        alias = self._stage.start.alias
        named = alias or (f"stage-{self._stage.number}" if len(stages) > 1 else "")
        number = f"{self._step}/{self._steps}"
        return f"[{f'{named} {number}' if named else number}] {text}"


def _with_variables(state: StageState) -> StageState:
    """With a PATH in the config, and what the base has in its environment as variables."""
    config = state.config
    if "PATH" not in state.environment:
        config = config.replace(env=(f"PATH={DEFAULT_PATH}", *config.env))
    state = state.replace(config=config)
    return state.replace(variables={**state.environment, **state.variables})
