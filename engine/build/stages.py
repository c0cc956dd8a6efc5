"""Which stages a target needs, and which of them wait for which."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from engine.build import instructions as ins
from engine.build.expander import Expander
from engine.build.mounts import mount_source
from engine.errors import BuildProblem

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Mapping

    from engine.build.instructions import Dockerfile, StageSource


def find_target(dockerfile: Dockerfile, target: str | None) -> StageSource:
    """The stage to build: by name, by number, or the last. Raises BuildProblem."""
    if target is None or target == "":
        return dockerfile.stages[-1]
    found = find_stage(dockerfile, target, len(dockerfile.stages))
    if found is None:
        names = [stage.start.alias for stage in dockerfile.stages if stage.start.alias]
        near = difflib.get_close_matches(target.lower(), names, n=1)
        hint = f"did you mean `{near[0]}`?" if near else f"named stages: {', '.join(names) or '-'}"
        raise BuildProblem(
            f"target stage `{target}` could not be found",
            where=dockerfile.name,
            hint=hint,
            code="no-such-stage",
        )
    return found


def find_stage(dockerfile: Dockerfile, name: str, before: int) -> StageSource | None:
    """The last stage of that name, or the stage of that number, among the first `before`."""
    stages = dockerfile.stages[:before]
    for stage in reversed(stages):
        if stage.start.alias == name.lower():
            return stage
    if name.isdecimal() and int(name) < len(stages):
        return stages[int(name)]
    return None


def sources(stage: StageSource) -> Iterator[str]:
    """Names of stages, images or contexts that the stage takes files from."""
    for instruction in stage.instructions:
        if isinstance(instruction, ins.Copy) and instruction.source_stage:
            yield instruction.source_stage
        elif isinstance(instruction, ins.Run):
            for text in instruction.mounts:
                source = mount_source(text)
                if source:
                    yield source


def needed_stages(
    dockerfile: Dockerfile, target: StageSource, arguments: Mapping[str, str], named: Container[str]
) -> list[int]:
    """Numbers of the stages that the target is made from, itself among them.

    arguments  what a FROM can use
    named      contexts that are given by name, and win over stages
    """
    needed: set[int] = set()
    left = [target]
    while left:
        stage = left.pop()
        if stage.number not in needed:
            needed.add(stage.number)
            base = Expander(stage.start, arguments, dockerfile.escape).word(stage.start.image)
            names = [name for name in (base, *sources(stage)) if name not in named]
            found = (find_stage(dockerfile, name, stage.number) for name in names)
            left += [earlier for earlier in found if earlier is not None]
    return sorted(needed)


def check_sources(dockerfile: Dockerfile) -> None:
    """No stage takes files from itself, or from a number that is not an earlier stage's.

    A name of a later stage is none yet: it means an image, as with Docker. Raises BuildProblem.
    """
    for stage in dockerfile.stages:
        for name in sources(stage):
            if find_stage(dockerfile, name, stage.number) is not None:
                continue
            if name.lower() == stage.start.alias or name.isdecimal():
                culprit = next((i for i in stage.instructions if name in i.line.text), stage.start)
                raise BuildProblem(
                    f"`{name}` is not a stage before this one",
                    where=culprit.locate_word(name),
                    hint="a stage takes files from those further up",
                    code="stage-order",
                )
