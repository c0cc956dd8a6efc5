"""The steps that put files into a stage: COPY, ADD and WORKDIR (engine.md D6.9, D6.10)."""

from __future__ import annotations

import asyncio
import contextlib
import difflib
import os
import posixpath
import re
from typing import TYPE_CHECKING

from engine.build.cache import content_of, digest
from engine.build.copying import CopyFailed, SourceMissing, perform, scratch
from engine.build.job import LayerStep
from engine.build.modes import parse_mode
from engine.build.origin import Origin, find_origin
from engine.build.zstd import decompressed_sources
from engine.errors import BuildProblem

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from engine.build.context import Context
    from engine.build.copying import Scratch
    from engine.build.expander import Expander
    from engine.build.instructions import Copy, Instruction, Setting
    from engine.build.job import Job
    from engine.build.progress import StepReport
    from engine.build.state import StageState

_URL = re.compile(r"(?:https?|git|ssh)://|git@", re.IGNORECASE)
_ROOT_OWNER = "0:0"


def plan_workdir(
    job: Job, instruction: Setting, state: StageState, expander: Expander
) -> tuple[StageState, LayerStep | None]:
    """The state with the new directory in its config, and the step that makes it; none for /."""
    directory = posixpath.normpath(
        posixpath.join(state.directory, expander.word(instruction.value))
    ).replace("//", "/")
    if directory == "/":
        return state.with_config("WORKDIR /", working_dir="/"), None
    config = state.config.replace(working_dir=directory)
    owner = state.config.user or _ROOT_OWNER
    lowers = job.engine.images.lowers(state.chain_ids)

    async def make(report: StepReport) -> str | None:
        with _located(instruction, instruction.value), scratch(job.scratch_root, lowers) as place:
            target = place.layers()
            await perform({"do": "directory", "target": target, "to": directory, "owner": owner})
            return await _keep(job, place, state)

    record = {
        "instruction": instruction.text,
        "step": "WORKDIR",
        "parent": state.top,
        "to": directory,
        "owner": owner,
    }
    step = LayerStep(record=record, created_by=f"WORKDIR {directory}", make=make)
    return state.replace(config=config), step


async def plan_copy(
    job: Job, instruction: Copy, state: StageState, expander: Expander, stage_number: int
) -> LayerStep:
    """What a COPY or ADD would do, measured. Raises BuildProblem for sources that are not there."""
    plan = _CopyPlan(job, instruction, state, expander)
    origin = await find_origin(job, instruction.source_stage, instruction, stage_number)
    return await plan.step(origin)


class _CopyPlan:
    def __init__(self, job: Job, instruction: Copy, state: StageState, expander: Expander) -> None:
        self._job, self._instruction, self._state = job, instruction, state
        self._sources = _expanded_sources(instruction, expander)
        self._to = _target(instruction, state, expander)
        self._excludes = [expander.word(text) for text in instruction.excludes]
        self._mode = _mode(instruction, expander)
        self._chown = expander.word(instruction.chown) if instruction.chown else None
        self._heredocs = {
            doc.name: expander.word(doc.body) if doc.expand else doc.body
            for doc in instruction.heredocs
        }
        self._check_target()

    def _check_target(self) -> None:
        count = len(self._sources) + len(self._heredocs)
        if count > 1 and not self._to.endswith("/"):
            instruction = self._instruction
            raise BuildProblem(
                f"{instruction.kind} with {count} sources needs a directory as its target",
                where=instruction.locate_word(instruction.target),
                hint=f"end it with a slash: {instruction.target}/",
                code="copy-target",
            )

    async def step(self, origin: Origin) -> LayerStep:
        owner = self._chown or (_ROOT_OWNER if origin.context else None)
        record = {
            "instruction": self._instruction.text,
            "step": self._instruction.kind,
            "parent": self._state.top,
            "sources": self._sources,
            "to": self._to,
            "owner": self._chown,
            "mode": self._mode,
            "unpack": self._instruction.unpack,
            **await self._content(origin),
        }

        async def make(report: StepReport) -> str | None:
            return await self._make(origin, owner, report)

        return LayerStep(record=record, created_by=self._instruction.text, make=make)

    async def _content(self, origin: Origin) -> dict[str, object]:
        content: dict[str, object] = content_of({})
        if self._sources:
            with _located(self._instruction, "", origin):
                content = await origin.measure(self._job, self._sources, self._excludes)
        if self._heredocs:
            inline = {name: digest(body) for name, body in self._heredocs.items()}
            content = {**content, "inline": content_of(inline)["content"]}
        return content

    async def _make(self, origin: Origin, owner: str | None, report: StepReport) -> str | None:
        job = self._job
        lowers = job.engine.images.lowers(self._state.chain_ids)
        located = _located(self._instruction, self._instruction.target, origin)
        with located, scratch(job.scratch_root, lowers) as place:
            if self._heredocs:
                await self._copy_heredocs(place, owner)
            if self._sources:
                await self._copy_sources(origin, place, owner, report)
            return await _keep(job, place, self._state)

    async def _copy_sources(
        self, origin: Origin, place: Scratch, owner: str | None, report: StepReport
    ) -> None:
        request = self._request(place, owner, self._sources)
        request |= {"unpack": self._instruction.unpack, "exclude": self._excludes}
        if origin.context is not None:
            found = await self._copy_from_context(origin.context, request)
        else:
            with scratch(self._job.scratch_root, origin.lowers) as source:
                found = await perform({**request, "source": source.layers()})
        if not found:
            report.note(f"no file matches {' '.join(self._sources)}: nothing was copied")

    async def _copy_from_context(self, context: Context, request: dict[str, object]) -> object:
        request |= {"source": context.directory, "ignore": context.ignore.patterns}
        if not self._instruction.unpack:
            return await perform(request)
        with contextlib.ExitStack() as stack:
            sources = decompressed_sources(context, self._sources, self._job.scratch_root)
            request["archives"] = await asyncio.to_thread(stack.enter_context, sources)
            return await perform(request)

    async def _copy_heredocs(self, place: Scratch, owner: str | None) -> None:
        with scratch(self._job.scratch_root, ()) as written:
            for name, body in self._heredocs.items():
                _write(os.path.join(written.upper, os.path.basename(name)), body)
            names = [os.path.basename(name) for name in self._heredocs]
            request = self._request(place, owner or _ROOT_OWNER, names)
            await perform({**request, "source": written.upper})

    def _request(
        self, place: Scratch, owner: str | None, sources: Sequence[str]
    ) -> dict[str, object]:
        return {
            "do": "copy",
            "target": place.layers(),
            "sources": list(sources),
            "to": self._to,
            "owner": owner,
            "mode": self._mode,
            "unpack": False,
            "ignore": [],
            "exclude": [],
        }


def _write(path: str, body: str) -> None:
    with open(path, "w", encoding="utf-8") as file:
        file.write(body)
    os.chmod(path, 0o644)


async def _keep(job: Job, place: Scratch, state: StageState) -> str | None:
    """The upper directory as a layer; None where nothing was written."""
    if not os.listdir(place.upper):
        return None
    return await asyncio.to_thread(job.engine.images.add_layer, place.upper, state.chain_ids)


def _expanded_sources(instruction: Copy, expander: Expander) -> list[str]:
    sources: list[str] = []
    for written in instruction.sources:
        words = [expander.word(written)] if instruction.json else expander.words(written)
        for word in words:
            if _URL.match(word):
                _refuse_url(instruction, written)
        sources += words
    if not sources and not instruction.heredocs:
        raise BuildProblem(
            f"{instruction.kind} has no source: its variables are empty",
            where=instruction.where,
            code="copy-source",
        )
    return sources


def _refuse_url(instruction: Copy, written: str) -> None:
    where = instruction.locate_word(written)
    if instruction.kind == "COPY":
        raise BuildProblem(
            "source can't be a URL for COPY", where=where, hint="ADD takes URLs", code="copy-source"
        )
    raise BuildProblem(
        "ADD of a URL is not built yet",
        where=where,
        hint="RUN curl or wget, or put the file into the build context",
        code="not-built-yet",
    )


def _target(instruction: Copy, state: StageState, expander: Expander) -> str:
    """Absolute and clean; a `/` at its end says that it is a directory."""
    written = expander.word(instruction.target)
    joined = posixpath.join(state.directory, written)
    path = "/" + posixpath.normpath(joined).lstrip("/")
    is_directory = written in ("", ".") or written.endswith(("/", "/."))
    return f"{path.rstrip('/')}/" if is_directory or path == "/" else path


def _mode(instruction: Copy, expander: Expander) -> str | None:
    if instruction.chmod is None:
        return None
    try:
        return parse_mode(expander.word(instruction.chmod))
    except ValueError as error:
        where = instruction.locate_word(instruction.chmod)
        raise BuildProblem(f"--chmod: {error}", where=where, code="invalid-mode") from None


@contextlib.contextmanager
def _located(instruction: Instruction, word: str, origin: Origin | None = None) -> Iterator[None]:
    """Failures of the copying process as problems of this instruction."""
    try:
        yield
    except CopyFailed as error:
        where = instruction.locate_word(word)
        raise BuildProblem(str(error), where=where, code="copy-failed") from None
    except SourceMissing as error:
        raise BuildProblem(
            f'"/{error.source}": not found',
            where=instruction.locate_word(error.source),
            hint=_missing_hint(error, origin),
            code="copy-source",
        ) from None


def _missing_hint(error: SourceMissing, origin: Origin | None) -> str | None:
    if error.rule is not None and origin and origin.context:
        pattern, line = error.rule
        return f"{origin.context.ignore_name}:{line} excludes it: {pattern}"
    if origin is None or origin.context is None:
        return None
    directory, name = os.path.split(error.source)
    path = os.path.join(origin.context.directory, directory)
    names = os.listdir(path) if os.path.isdir(path) else []
    near = difflib.get_close_matches(name, names, n=1)
    where = f"it is looked for in the build context, {origin.context.directory}"
    return f"did you mean `{os.path.join(directory, near[0])}`?" if near else where
