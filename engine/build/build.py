"""Builds: a Dockerfile and a directory become an image."""

from __future__ import annotations

import asyncio
import contextlib
import os
from typing import TYPE_CHECKING

from engine.build.cache import Cached, StepCache, key_of
from engine.build.cache_transfer import brief_steps, export_cache, import_cache, push_cache
from engine.build.checking import remarks
from engine.build.context import read_dockerfile
from engine.build.contexts import Contexts
from engine.build.debugging import Debugger
from engine.build.dockerfile import parse_dockerfile
from engine.build.document import image_document
from engine.build.excerpt import Source
from engine.build.expander import Expander
from engine.build.instructions import Arg, Run
from engine.build.job import PREDEFINED_ARGUMENTS, Job
from engine.build.offers import Offers
from engine.build.platforms import automatic_arguments, check_native
from engine.build.progress import Reporter
from engine.build.pruning import default_limit_bytes, prune_cache
from engine.build.run import check_entitled
from engine.build.sandbox import drop_network, remove_abandoned
from engine.build.settings import Scope
from engine.build.stage import StageBuilder
from engine.build.stages import check_sources, find_target, needed_stages
from engine.build.times import VARIABLE, made_at, parse_epoch
from engine.errors import Problem
from engine.images.config import INLINE_CACHE
from engine.images.platform import host_platform
from engine.images.reference import parse_reference, parse_tag

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from engine.build.debugging import Look
    from engine.build.instructions import Dockerfile
    from engine.build.progress import BuildEvent, Report
    from engine.build.spec import BuildSpec
    from engine.build.state import StageState
    from engine.engine import Engine
    from engine.images.image import Image

_STEPS_PER_PROCESSOR = 2  # half of them wait for a network or a disk


def silent(event: BuildEvent) -> None:
    """A Report for nobody."""


async def build_image(
    engine: Engine, spec: BuildSpec, report: Report = silent, look: Look | None = None
) -> Image:
    """Build the image, tag it, and return it. `look` is called for a step that failed, while the
    state before it is still there.

    Stages that the target does not need are not run; those that do not wait for each other run at
    once. Raises Problem: of several at once, the first. Cancelled, it takes its containers away.
    """
    build = _Build(engine, spec, report, look)
    with engine.images.hold():
        try:
            image = await build.run()
        except BaseExceptionGroup as group:
            raise build.shown(_first(group)) from None
        except Problem as problem:
            raise build.shown(problem) from None
        finally:
            drop_network(engine)
    build.keep_cache_small()
    return image


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """What a user should see of it: a problem before anything else."""
    leaves = list(_leaves(group))
    return next((leaf for leaf in leaves if isinstance(leaf, Problem)), leaves[0])


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterable[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error


class _Build:
    def __init__(self, engine: Engine, spec: BuildSpec, report: Report, look: Look | None) -> None:
        self._engine, self._spec = engine, spec
        self._debugger = Debugger(look) if look else None
        self._reporter = Reporter(report)
        self._cache = StepCache(engine.db)
        self._offers = Offers(engine, self._cache)
        self._tasks: dict[int, asyncio.Task[StageState]] = {}
        self._places: dict[str, str] = {}
        self._source: Source | None = None

    async def run(self) -> Image:
        async with contextlib.AsyncExitStack() as held:
            return await self._run(Contexts(self._engine.roots, self._spec, held))

    async def _run(self, contexts: Contexts) -> Image:
        self._spec = await contexts.main()
        self._job = job = self._prepare(contexts)
        target = find_target(job.dockerfile, self._spec.target)
        await remove_abandoned(job)
        named = self._spec.additional_contexts
        needed = needed_stages(job.dockerfile, target, job.arguments, named)
        for number in needed:
            for instruction in job.dockerfile.stages[number].instructions:
                if isinstance(instruction, Run):
                    check_entitled(job, instruction)
        await self._import_cache()
        async with asyncio.TaskGroup() as self._group:
            for number in needed:
                self._started(number)
        image = await self._export(self._tasks[target.number].result())
        await self._export_cache(target.number)
        self._cache.note_use(self._places)
        return image

    async def _import_cache(self) -> None:
        for place in self._spec.cache_from:
            report = self._reporter.start(f"importing cache from {place}")
            if place.startswith("/"):
                count = await import_cache(self._engine, self._cache, place)
                report.note(f"{count} steps")
            else:
                await self._offers.open(place, report)
            report.done()

    async def _export_cache(self, target: int) -> None:
        for place, how in self._spec.cache_to.items():
            report = self._reporter.start(f"exporting cache to {place}")
            numbers = self._tasks if how.whole else (target,)
            chains = [self._tasks[number].result().chain_ids for number in numbers]
            try:
                if place.startswith("/"):
                    await export_cache(self._engine, self._cache, place, chains)
                else:
                    await push_cache(self._engine, self._cache, place, chains, report)
            except (Problem, OSError) as error:
                report.failed(str(error).partition("\n")[0])
                if not how.may_fail:
                    raise
            else:
                report.done()

    def shown(self, error: BaseException) -> BaseException:
        """The error, with the lines of the Dockerfile that it is about."""
        if isinstance(error, Problem) and self._source is not None:
            lines = self._source.excerpt(error.where)
            error.excerpt = "\n".join(filter(None, (error.excerpt, lines)))
        return error

    def keep_cache_small(self) -> None:
        """Make room in the build cache, where something was added to it."""
        if not self._cache.grown:
            return
        limit = self._spec.cache_limit_bytes
        limit = default_limit_bytes(self._engine) if limit is None else limit
        pruned = prune_cache(self._engine, keep_bytes=limit)
        if pruned.entries:
            report = self._reporter.start("[internal] prune build cache")
            report.note(
                f"{len(pruned.entries)} removed, {pruned.freed_bytes / 1e6:.1f}MB, longest unused "
                f"first: the limit is {limit / 1e6:.1f}MB (BUOY_BUILD_CACHE)"
            )
            report.done()

    def _prepare(self, contexts: Contexts) -> Job:
        spec = self._spec
        for wanted in spec.platforms:
            check_native(wanted)
        for tag in spec.tags:
            parse_tag(tag)
        text, name, path = read_dockerfile(spec)
        self._source = Source(text, name)
        report = self._reporter.start(f"[internal] load build definition from {name}")
        dockerfile = self._source.dockerfile = parse_dockerfile(text, name)
        check_sources(dockerfile)
        platform = host_platform()
        automatic = automatic_arguments(spec.target or "")
        arguments = _global_arguments(dockerfile, spec.args, automatic)
        warnings = *dockerfile.warnings, *remarks(dockerfile, spec)
        unused = *_unused_arguments(dockerfile, spec.args), *_unused_stages(dockerfile, spec)
        for warning in (*warnings, *unused):
            report.note(warning)
        context = contexts.open(spec.context, path)
        report.done()
        return Job(
            engine=self._engine,
            spec=spec,
            dockerfile=dockerfile,
            path=contexts.name(path),
            context=context,
            contexts=contexts,
            cache=self._cache,
            offers=self._offers,
            reporter=self._reporter,
            arguments=arguments,
            platform=str(platform),
            stage=self._stage,
            debugger=self._debugger,
            epoch_s=parse_epoch(spec.args),
            slots=asyncio.Semaphore(_STEPS_PER_PROCESSOR * (os.cpu_count() or 1)),
        )

    async def _stage(self, number: int) -> StageState:
        return await asyncio.shield(self._started(number))  # others wait for it too

    def _started(self, number: int) -> asyncio.Task[StageState]:
        """The building of a stage: begun now where only a trigger of a base asks for it."""
        if number not in self._tasks:
            self._tasks[number] = self._group.create_task(self._build_stage(number))
        return self._tasks[number]

    async def _build_stage(self, number: int) -> StageState:
        builder = StageBuilder(self._job, self._job.dockerfile.stages[number])
        try:
            return await builder.build()
        finally:
            self._places |= builder.places

    async def _export(self, state: StageState) -> Image:
        """The image of a finished stage. One that is made of the same gets the same id."""
        report = self._reporter.start("exporting to image")
        labels = self._spec.labels
        record = {
            "image": image_document(state, labels, None),
            "layers": list(state.chain_ids),
            "epoch": self._job.epoch_s,
        }
        key = key_of(record)
        known = self._cache.find(key) or await self._offers.take(key, report)
        if known is None:
            known = Cached(chain_id=None, created=made_at(self._job.epoch_s))
            self._cache.add(key, {"step": "image"}, known)
        document = image_document(state, labels, known.created)
        if self._spec.inline_cache or self._spec.args.get("BUILDKIT_INLINE_CACHE") == "1":
            document[INLINE_CACHE] = brief_steps(self._cache, state.chain_ids)
        create = self._engine.images.create
        image = await asyncio.to_thread(create, document, state.chain_ids, self._spec.tags)
        report.note(f"writing image {image.id}")
        for tag in self._spec.tags:
            report.note(f"naming to {parse_reference(tag)}")
        report.done()
        return image


def _global_arguments(
    dockerfile: Dockerfile, given: Mapping[str, str], automatic: Mapping[str, str]
) -> dict[str, str]:
    """ARGs before the first FROM, each able to use those before it."""
    values = dict(automatic)
    scope = Scope(given, automatic)
    for instruction in dockerfile.arguments:
        expander = Expander(instruction, values, dockerfile.escape)
        for name, default in instruction.pairs:
            value = scope.value(name, None if default is None else expander.word(default))
            if value is not None:
                values[name] = value
    return values


def _unused_arguments(dockerfile: Dockerfile, given: Mapping[str, str]) -> list[str]:
    instructions = [*dockerfile.arguments, *(i for s in dockerfile.stages for i in s.instructions)]
    declared = {name for i in instructions if isinstance(i, Arg) for name, _ in i.pairs}
    others = given.keys() - declared - PREDEFINED_ARGUMENTS - {VARIABLE}
    unused = sorted(name for name in others if not name.startswith("BUILDKIT_"))
    if not unused:
        return []
    return [f"[Warning] One or more build-args [{' '.join(unused)}] were not consumed"]


def _unused_stages(dockerfile: Dockerfile, spec: BuildSpec) -> list[str]:
    named = {stage.start.alias for stage in dockerfile.stages}
    unused = [name for name in spec.no_cache_stages if name.lower() not in named]
    return [f"[Warning] No stage is named {name}: the cache is used" for name in unused]
