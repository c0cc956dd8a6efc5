"""Where COPY --from, RUN --mount and FROM find what they name (engine.md D6.11)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from engine.build.cache import content_of, key_of
from engine.build.copying import SourceMissing, perform, scratch
from engine.build.ignore import Ignore
from engine.build.stages import find_stage
from engine.build.tree import NotFoundInRoot
from engine.errors import BuildProblem, ImageProblem
from engine.images.image import silent
from engine.kernel.record import Record

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.build.context import Context
    from engine.build.instructions import Instruction
    from engine.build.job import Job
    from engine.build.progress import StepReport
    from engine.images.image import Image, Progress

_IMAGE_CONTEXT = "docker-image://"
_LAYOUT_CONTEXT = "oci-layout://"


class Origin(Record):
    """A directory tree that files are taken from: a build context, or the layers of a stage or
    image (top first).

    identity  chain id of those layers; "" where their content is not fixed by it
    """

    context: Context | None = None
    lowers: tuple[str, ...] = ()
    identity: str = ""

    @property
    def ignore(self) -> Ignore:
        """What of it does not count."""
        return self.context.ignore if self.context else Ignore(())

    async def measure(
        self,
        job: Job,
        sources: Sequence[str],
        excludes: Sequence[str] = (),
        *,
        parents: bool = False,
        tops: bool = False,
    ) -> dict[str, object]:
        """`content` and `files` of a cache record. Raises SourceMissing, BuildProblem.

        parents, tops  as for `engine.build.measure`; of a context no tops count
        """
        if self.context is not None:
            exclude = Ignore([(text, 0) for text in excludes])
            try:
                prints = await asyncio.to_thread(
                    self.context.measure, sources, exclude, parents=parents
                )
            except NotFoundInRoot as error:
                raise SourceMissing(error.source, error.rule) from None
            return content_of(prints)
        asked = {
            "sources": list(sources),
            "exclude": list(excludes),
            "parents": parents,
            "tops": tops,
        }
        key = key_of({"measured": self.identity, **asked})
        known = job.cache.record(key) if self.identity else None
        if known is not None:
            return dict(known)
        with scratch(job.scratch_root, self.lowers) as place:
            prints = await perform(
                {"do": "measure", "source": place.layers(), "ignore": [], **asked}
            )
        content = content_of(prints)
        if self.identity:
            job.cache.add_record(key, content)
        return content


async def find_origin(job: Job, name: str | None, instruction: Instruction, before: int) -> Origin:
    """What `--from=name` means in stage number `before`. None: the build context.

    A named context wins over a stage, a stage over an image.
    """
    if name is None:
        return Origin(context=job.context)
    if "$" in name:
        raise BuildProblem(
            f"--from={name}: there are no variables in it",
            where=instruction.locate_word(name),
            hint="FROM has those of the ARGs before it: name the image there, FROM ... AS NAME",
            code="from-variable",
        )
    given = job.spec.additional_contexts.get(name)
    reference = name if given is None else _image_of(given)
    if given is not None and reference is None:
        return Origin(context=await job.contexts.named(name, given))
    stage = find_stage(job.dockerfile, name, before) if given is None else None
    if stage is not None:
        state = await job.stage(stage.number)
        return Origin(lowers=job.engine.images.lowers(state.chain_ids), identity=state.top)
    assert reference is not None  # it is no other context
    image = await fetch_image(job, reference, instruction, silent)
    return Origin(lowers=image.lowers, identity=image.chain_ids[-1] if image.chain_ids else "")


def image_reference(job: Job, name: str, instruction: Instruction) -> str:
    """The image that FROM `name` means, where it is no stage."""
    given = job.spec.additional_contexts.get(name)
    reference = name if given is None else _image_of(given)
    if reference is None:
        raise BuildProblem(
            f"the context `{name}` is {given}; FROM takes a stage or an image",
            where=instruction.locate_word(name),
            code="not-an-image",
        )
    return reference


def _image_of(context: str) -> str | None:
    """The image that a named context is, as a reference; None where it is none."""
    if context.startswith(_LAYOUT_CONTEXT):
        return f"oci:{context.removeprefix(_LAYOUT_CONTEXT)}"
    if context.startswith(_IMAGE_CONTEXT):
        return context.removeprefix(_IMAGE_CONTEXT)
    return None


async def fetch_image(
    job: Job, reference: str, instruction: Instruction, progress: Progress
) -> Image:
    """The image, pulled where it is not here or --pull asks for it."""
    policy = "always" if job.spec.pull or reference.startswith("oci:") else "missing"
    try:
        return await job.engine.images.ensure_in_thread(reference, policy, progress)
    except ImageProblem as problem:
        if problem.where is None:
            problem.where = instruction.locate_word(reference)
        raise


def told_to(report: StepReport) -> Progress:
    """A Progress whose texts become output of a step. It is called from other threads."""
    loop = asyncio.get_running_loop()
    last: dict[str, str] = {}

    def tell(subject: str, text: str, done_bytes: int | None, total_bytes: int | None) -> None:
        if last.get(subject) != text:
            last[subject] = text
            loop.call_soon_threadsafe(report.output, f"{subject} {text}")

    return tell
