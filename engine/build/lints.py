"""What is allowed in a Dockerfile and seldom meant: BuildKit's build checks, by their names.

Source: Docker's reference, "Build checks"; `JSONLooksLike` is ours.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from engine.build import instructions as ins
from engine.build.words import variables_in
from engine.kernel.record import Record

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_SECRET = re.compile(
    r"(?:^|_)(?:apikey|auth|credential|key|password|pword|passwd|secret|token)s?(?:$|_)", re.I
)
_NO_SECRET = re.compile(r"(?:^|_)public(?:$|_)", re.I)
_LIST = re.compile(r"\s*\[.*\]\s*", re.DOTALL)


class Lint(Record):
    """One remark; `where` as in `Dockerfile:7:1`."""

    rule: str
    what: str
    where: str
    line: int

    def __str__(self) -> str:
        return f"{self.rule}: {self.what} (line {self.line})"


class LintRules(Record):
    """Which are to be made: `# check=skip=RULE,RULE;error=true`."""

    skipped: frozenset[str] = frozenset()
    error: bool = False

    @classmethod
    def parse(cls, text: str) -> LintRules:
        """Of a directive's value, as far as it can be understood."""
        fields = dict(part.strip().partition("=")[::2] for part in text.split(";"))
        skipped = frozenset(name.strip() for name in fields.get("skip", "").split(","))
        return cls(skipped=skipped, error=fields.get("error", "").strip().lower() == "true")


def lints(dockerfile: ins.Dockerfile, known: Mapping[str, str], rules: LintRules) -> list[Lint]:
    """In the order of the lines.

    known  names that a FROM can use without an ARG
    """
    if "all" in rules.skipped:
        return []
    found = [*_of_stages(dockerfile, known), *_of_casing(dockerfile)]
    for stage in dockerfile.stages:
        found += _of_stage(stage)
    wanted = [lint for lint in found if lint.rule not in rules.skipped]
    return sorted(wanted, key=lambda lint: lint.line)


def _lint(rule: str, what: str, instruction: ins.Instruction) -> Lint:
    return Lint(rule=rule, what=what, where=instruction.where, line=instruction.line.number)


def _of_stages(dockerfile: ins.Dockerfile, known: Mapping[str, str]) -> Iterator[Lint]:
    seen: set[str] = set()
    names = {name for one in dockerfile.arguments for name, _ in one.pairs} | known.keys()
    for stage in dockerfile.stages:
        start = stage.start
        words = start.line.text.split()
        alias = words[-1] if start.alias else ""
        if alias != alias.lower():
            yield _lint("StageNameCasing", f"Stage name '{alias}' should be lowercase", start)
        if start.alias and words[0].isupper() != words[-2].isupper():
            what = f"'{words[-2]}' and '{words[0]}' keywords' casing do not match"
            yield _lint("FromAsCasing", what, start)
        if start.alias in seen:
            what = f"Duplicate stage name '{alias}', stage names should be unique"
            yield _lint("DuplicateStageName", what, start)
        seen |= {start.alias} if start.alias else set()
        for name in sorted(variables_in(start.image) - names):
            what = f"FROM argument '{name}' is not declared"
            yield _lint("UndefinedArgInFrom", what, start)
        if start.platform in ("$TARGETPLATFORM", "${TARGETPLATFORM}"):
            what = (
                f"Setting platform to predefined {start.platform} in FROM is redundant as this is "
                "the default behavior"
            )
            yield _lint("RedundantTargetPlatform", what, start)


def _of_casing(dockerfile: ins.Dockerfile) -> Iterator[Lint]:
    every: list[ins.Instruction] = list(dockerfile.arguments)
    for stage in dockerfile.stages:
        every += [stage.start, *stage.instructions]
    upper = sum(_name(one).isupper() for one in every)
    most_upper = upper * 2 >= len(every)
    for one in every:
        name = _name(one)
        if name != (name.upper() if most_upper else name.lower()):
            what = (
                f"Command '{name}' should match the case of the command majority "
                f"({'uppercase' if most_upper else 'lowercase'})"
            )
            yield _lint("ConsistentInstructionCasing", what, one)


def _name(instruction: ins.Instruction) -> str:
    return instruction.line.text.split(maxsplit=1)[0]


def _of_stage(stage: ins.StageSource) -> Iterator[Lint]:
    last: dict[str, ins.Instruction] = {}
    absolute = False
    for one in stage.instructions:
        kind = _name(one).upper()
        if kind in ("CMD", "ENTRYPOINT", "HEALTHCHECK"):
            if kind in last:
                what = (
                    f"Multiple {kind} instructions should not be used in the same stage because "
                    "only the last one will be used"
                )
                yield _lint("MultipleInstructionsDisallowed", what, last[kind])
            last[kind] = one
        if isinstance(one, ins.Setting) and one.kind == "WORKDIR":
            if not absolute and not one.value.startswith(("/", "$")):
                what = (
                    f"Relative workdir '{one.value}' can have unexpected results if the base image "
                    "has a WORKDIR set"
                )
                yield _lint("WorkdirRelativePath", what, one)
            absolute = True
        yield from _of_instruction(one)


def _of_instruction(one: ins.Instruction) -> Iterator[Lint]:
    if isinstance(one, ins.Setting) and one.kind == "MAINTAINER":
        what = "Maintainer instruction is deprecated in favor of using label"
        yield _lint("MaintainerDeprecated", what, one)
    command = one.command if isinstance(one, ins.Start | ins.Run) else None
    if command is not None and command.shell and command.words:
        yield from _of_command(one, command.words[0])
    if isinstance(one, ins.Env | ins.Label) and "=" not in one.line.text.split()[1]:
        name = _name(one)
        what = f'"{name} key=value" should be used instead of legacy "{name} key value" format'
        yield _lint("LegacyKeyValueFormat", what, one)
    if isinstance(one, ins.Env | ins.Arg):
        for name, _ in one.pairs:
            if _SECRET.search(name) and not _NO_SECRET.search(name):
                what = (
                    f'Do not use ARG or ENV instructions for sensitive data ({_name(one)} "{name}")'
                )
                yield _lint("SecretsUsedInArgOrEnv", what, one)


def _of_command(one: ins.Instruction, text: str) -> Iterator[Lint]:
    if _LIST.fullmatch(text) and not text.strip().startswith(("[ -", "[[")):
        what = f"{text.strip()} is given to the shell: a JSON list has its strings in double quotes"
        yield _lint("JSONLooksLike", what, one)
    elif isinstance(one, ins.Start):
        what = (
            f"JSON arguments recommended for {one.kind} to prevent unintended behavior related to "
            "OS signals"
        )
        yield _lint("JSONArgsRecommended", what, one)
