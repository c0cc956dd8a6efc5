"""Problems as the user sees them: the code, where, what and a hint; never a traceback."""

from __future__ import annotations

import sys

from compose.ui.console import Console
from compose.ui.printable import printable
from engine.errors import Problem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def split_problems(
    error: Problem | ExceptionGroup,
) -> tuple[list[Problem], ExceptionGroup | None]:
    """All problems in `error`, groups unwrapped, each once; and what else it holds."""
    if isinstance(error, Problem):
        return [error], None
    problems, bugs = error.split(Problem)
    if problems is None:
        return [], bugs
    unlike = {format_problem(problem): problem for problem in _flat(problems)}
    return list(unlike.values()), bugs


def _flat(group: ExceptionGroup[Problem]) -> Iterator[Problem]:
    for error in group.exceptions:
        if isinstance(error, ExceptionGroup):
            yield from _flat(error)
        else:
            yield error


def format_problem(problem: Problem, *, colour: bool = False) -> str:
    """`error: <code>`, then `where: what`, the excerpt and `hint: ...`; without a last newline."""
    red, bold, reset = ("\x1b[31m", "\x1b[1m", "\x1b[0m") if colour else ("", "", "")
    where = f"{bold}{printable(problem.where)}{reset}: " if problem.where else ""
    lines = [f"{red}error{reset}: {problem.code}", f"{where}{printable(problem.what)}"]
    if problem.excerpt:
        lines.append(printable(problem.excerpt))
    if problem.hint:
        lines.append(f"hint: {printable(problem.hint)}")
    return "\n".join(lines)


def print_problems(problems: Iterable[Problem]) -> None:
    """Print each on stderr, a blank line between them."""
    colour = Console().coloured(sys.stderr)
    sys.stderr.write("\n\n".join(format_problem(p, colour=colour) for p in problems) + "\n")
