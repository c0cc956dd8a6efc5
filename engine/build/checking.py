"""Looking at a Dockerfile without building it (`--check`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.build.context import read_dockerfile
from engine.build.contexts import is_elsewhere
from engine.build.dockerfile import parse_dockerfile
from engine.build.excerpt import Source
from engine.build.lints import LintRules, lints
from engine.build.platforms import automatic_arguments
from engine.build.stages import check_sources, find_target
from engine.errors import BuildProblem

if TYPE_CHECKING:
    from engine.build.instructions import Dockerfile
    from engine.build.lints import Lint
    from engine.build.spec import BuildSpec

RULES = "BUILDKIT_DOCKERFILE_CHECK"


def check_build(spec: BuildSpec) -> list[tuple[Lint, str]]:
    """What there is to say of a build's Dockerfile, each with the lines around it; nothing is
    fetched, run or made. Raises BuildProblem for one that cannot be built."""
    if spec.dockerfile_inline is None and is_elsewhere(spec.context):
        raise BuildProblem(
            f"the Dockerfile of {spec.context} would have to be fetched to be checked",
            hint="-f - takes one from standard input",
            code="not-built-yet",
        )
    text, name, _ = read_dockerfile(spec)
    source = Source(text, name)
    dockerfile = source.dockerfile = parse_dockerfile(text, name)
    check_sources(dockerfile)
    find_target(dockerfile, spec.target)
    return [(lint, source.excerpt(lint.where) or "") for lint in _lints(dockerfile, spec)]


def remarks(dockerfile: Dockerfile, spec: BuildSpec) -> list[str]:
    """The same in words. Raises BuildProblem where they shall end a build."""
    found = _lints(dockerfile, spec)
    if found and _rules(dockerfile, spec).error:
        names = ", ".join(sorted({lint.rule for lint in found}))
        raise BuildProblem(
            f"the Dockerfile does not pass its checks: {names}",
            where=found[0].where,
            hint=found[0].what,
            code="build-checks",
        )
    return [str(lint) for lint in found]


def _lints(dockerfile: Dockerfile, spec: BuildSpec) -> list[Lint]:
    known = automatic_arguments(spec.target or "")
    return lints(dockerfile, known, _rules(dockerfile, spec))


def _rules(dockerfile: Dockerfile, spec: BuildSpec) -> LintRules:
    return LintRules.parse(spec.args.get(RULES, dockerfile.check))
