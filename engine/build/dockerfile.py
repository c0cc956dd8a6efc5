"""The Dockerfile parser: text in, instructions with line numbers out (engine.md D6.1 to D6.6)."""

from __future__ import annotations

import re

from engine.build import instructions as ins
from engine.build.lines import split_lines, split_text
from engine.build.reader import parse_instruction
from engine.errors import BuildProblem


def parse_dockerfile(text: str, name: str = "Dockerfile") -> ins.Dockerfile:
    """Raises BuildProblem, located at `name:LINE:COLUMN`, for all that is not a Dockerfile."""
    lines = split_lines(text, name)
    _check_frontend(lines.directives.get("syntax"), name)
    arguments: list[ins.Arg] = []
    starts: list[tuple[ins.From, list[ins.Instruction]]] = []
    for line in lines.lines:
        instruction = parse_instruction(line, name, lines.escape)
        if isinstance(instruction, ins.From):
            starts.append((instruction, []))
        elif starts:
            starts[-1][1].append(instruction)
        elif isinstance(instruction, ins.Arg):
            arguments.append(instruction)
        else:
            raise BuildProblem(
                "no build stage yet",
                where=instruction.where,
                hint="only ARG may stand before FROM",
                code="dockerfile-syntax",
            )
    if not starts:
        raise BuildProblem("the file has no FROM instruction", where=f"{name}:1:1", code="no-from")
    return ins.Dockerfile(
        name=name,
        escape=lines.escape,
        arguments=tuple(arguments),
        stages=tuple(
            ins.StageSource(number=number, start=start, instructions=tuple(body))
            for number, (start, body) in enumerate(starts)
        ),
        warnings=lines.warnings,
        check=lines.directives.get("check", ""),
    )


def parse_text(text: str, name: str, escape: str) -> list[ins.Instruction]:
    """Instructions that are no file: ONBUILD triggers. `name` stands for it in messages."""
    return [parse_instruction(line, name, escape) for line in split_text(text, name, escape)]


def _check_frontend(syntax: str | None, name: str) -> None:
    if syntax and not re.match(r"(docker\.io/)?docker/dockerfile(-upstream)?\b", syntax):
        raise BuildProblem(
            f"the Dockerfile frontend `{syntax}` cannot be run",
            where=f"{name}:1:1",
            hint="remove the syntax line, or use docker/dockerfile:1",
            code="not-built-yet",
        )
