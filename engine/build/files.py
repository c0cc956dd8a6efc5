"""The steps that put files into a stage: COPY, ADD and WORKDIR (engine.md D6.9, D6.10)."""

from __future__ import annotations

import asyncio
import contextlib
import difflib
import os
from typing import TYPE_CHECKING

from engine.build.cache import content_of, digest, merged_content
from engine.build.copying import CopyFailed, SourceMissing, copy_request, perform, scratch
from engine.build.job import LayerStep
from engine.build.modes import parse_mode
from engine.build.sources import find_parts
from engine.build.times import keep_layer
from engine.build.zstd import decompressed_sources
from engine.errors import BuildProblem
from engine.state.space import DiskFull

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from engine.build.context import Context
    from engine.build.copying import Scratch
    from engine.build.expander import Expander
    from engine.build.instructions import Copy, Instruction, Setting
    from engine.build.job import Job
    from engine.build.origin import Origin
    from engine.build.progress import StepReport
    from engine.build.sources import Part
    from engine.build.state import StageState

_ROOT_OWNER = "0:0"


def plan_workdir(
    job: Job, instruction: Setting, state: StageState, expander: Expander
) -> tuple[StageState, LayerStep | None]:
    """The state with the new directory in its config, and the step that makes it; none for /."""
    directory = state.resolve(expander.word(instruction.value))
    if directory == "/":
        return state.with_config("WORKDIR /", working_dir="/"), None
    config = state.config.replace(working_dir=directory)
    owner = state.config.user or _ROOT_OWNER
    lowers = job.engine.images.lowers(state.chain_ids)

    async def make(report: StepReport) -> str | None:
        with _located(instruction, instruction.value), scratch(job.scratch_root, lowers) as place:
            target = place.layers()
            await perform({"do": "directory", "target": target, "to": directory, "owner": owner})
            return await keep_layer(job, place.upper, state.chain_ids)

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
    parts = await find_parts(job, instruction, expander, stage_number)
    return await _CopyPlan(job, instruction, state, expander, parts).step()


class _CopyPlan:
    def __init__(
        self,
        job: Job,
        instruction: Copy,
        state: StageState,
        expander: Expander,
        parts: Sequence[Part],
    ) -> None:
        self._job, self._instruction, self._state = job, instruction, state
        self._parts = parts
        self._to = _target(instruction, state, expander)
        self._excludes = [expander.word(text) for text in instruction.excludes]
        self._mode = _mode(instruction, expander)
        self._chown = expander.word(instruction.chown) if instruction.chown else None
        self._heredocs = {
            doc.name: expander.body(doc.body) if doc.expand else doc.body
            for doc in instruction.heredocs
        }
        self._check_target()

    def _check_target(self) -> None:
        count = sum(len(part.sources) for part in self._parts) + len(self._heredocs)
        if count > 1 and not self._to.endswith("/"):
            instruction = self._instruction
            raise BuildProblem(
                f"{instruction.kind} with {count} sources needs a directory as its target",
                where=instruction.locate_word(instruction.target),
                hint=f"end it with a slash: {instruction.target}/",
                code="copy-target",
            )

    async def step(self) -> LayerStep:
        record = {
            "instruction": self._instruction.text,
            "step": self._instruction.kind,
            "parent": self._state.top,
            "sources": [list(part.sources) for part in self._parts],
            "to": self._to,
            "owner": self._chown,
            "mode": self._mode,
            "unpack": [part.unpack for part in self._parts],
            "link": self._links,
            "parents": self._instruction.parents,
            **await self._content(),
        }
        return LayerStep(
            record=record,
            created_by=self._instruction.text,
            make=self._make,
            apart=self._links,
        )

    async def _content(self) -> dict[str, object]:
        content = await self._measured()
        if self._heredocs:
            inline = {name: digest(body) for name, body in self._heredocs.items()}
            content = {**content, "inline": content_of(inline)["content"]}
        return content

    async def _measured(self) -> dict[str, object]:
        """Of a single part as it is; of several, all that they say."""
        contents: list[dict[str, object]] = []
        for part in self._parts:
            with _located(self._instruction, "", part.origin):
                contents.append(
                    await part.origin.measure(
                        self._job,
                        part.sources,
                        self._excludes,
                        parents=self._instruction.parents,
                    )
                )
        return contents[0] if len(contents) == 1 else merged_content(contents)

    @property
    def _links(self) -> bool:
        """Whether the files go into a layer that knows nothing of those below it, where a name of
        an owner means nothing and a directory that is a link there is one of its own.

        With --chmod nothing is linked, as with BuildKit.
        """
        owner = self._chown or ""
        named = any(char.isalpha() for char in owner)
        return self._instruction.link and self._mode is None and not named

    async def _make(self, report: StepReport) -> str | None:
        job = self._job
        below = () if self._links else self._state.chain_ids
        with scratch(job.scratch_root, job.engine.images.lowers(below)) as place:
            for part in self._parts:
                with _located(self._instruction, self._instruction.target, part.origin):
                    await self._copy_part(part, place, report)
            if self._heredocs:
                with _located(self._instruction, self._instruction.target):
                    await self._copy_heredocs(place)
            return await keep_layer(job, place.upper, self._state.chain_ids)

    async def _copy_part(self, part: Part, place: Scratch, report: StepReport) -> None:
        look = {"exclude": self._excludes, "parents": self._instruction.parents}
        if part.origin.context is not None:
            found = await self._copy_from_context(part.origin.context, part, place, look)
        else:
            with scratch(self._job.scratch_root, part.origin.lowers) as source:
                files = source.layers()
                found = await self._copy(place, files, part.sources, self._chown, **look)
        if not found:
            report.note(f"no file matches {' '.join(part.sources)}: nothing was copied")

    async def _copy_from_context(
        self, context: Context, part: Part, place: Scratch, look: Mapping[str, object]
    ) -> object:
        owner = self._chown or _ROOT_OWNER
        look = {**look, "ignore": context.ignore.patterns, "unpack": part.unpack}
        with contextlib.ExitStack() as stack:
            if part.unpack:
                sources = decompressed_sources(context, part.sources, self._job.scratch_root)
                archives = await asyncio.to_thread(stack.enter_context, sources)
                look = {**look, "archives": archives}
            return await self._copy(place, context.directory, part.sources, owner, **look)

    async def _copy_heredocs(self, place: Scratch) -> None:
        with scratch(self._job.scratch_root, ()) as written:
            for name, body in self._heredocs.items():
                _write(os.path.join(written.upper, os.path.basename(name)), body)
            names = [os.path.basename(name) for name in self._heredocs]
            await self._copy(place, written.upper, names, self._chown or _ROOT_OWNER)

    async def _copy(
        self,
        place: Scratch,
        source: object,
        sources: Sequence[str],
        owner: str | None,
        **look: object,
    ) -> object:
        target = place.layers()
        look = {**look, "mode": self._mode}
        return await perform(copy_request(target, source, sources, self._to, owner, **look))


def _write(path: str, body: str) -> None:
    with open(path, "w", encoding="utf-8") as file:
        file.write(body)
    os.chmod(path, 0o644)


def _target(instruction: Copy, state: StageState, expander: Expander) -> str:
    """Absolute and clean; a `/` at its end says that it is a directory."""
    written = expander.word(instruction.target)
    path = state.resolve(written)
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
    except DiskFull as problem:
        problem.where = instruction.locate_word(word)
        raise
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
