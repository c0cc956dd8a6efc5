"""What --debug of `buoy build` takes."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from compose.commands.parsing import UsageProblem

if TYPE_CHECKING:
    from compose.commands.build_shell import BuildShell
    from compose.commands.context import Context
    from compose.ui.build_progress import BuildReport

SHELL = "true"  # what --debug without a command comes to


def shell_of(context: Context, command: str | None, report: BuildReport) -> BuildShell | None:
    """What looks at steps that fail; None where nobody wants to. Imports what it takes only then.

    command  what --debug is given; SHELL for a shell

    Raises UsageProblem where a shell is wanted and nobody could type into it.
    """
    if command is None:
        return None
    from compose.commands.build_shell import BuildShell

    _check(command)
    return BuildShell(context, command, report)


def _check(command: str) -> None:
    if command == SHELL and not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageProblem(
            "--debug opens a shell, and this is no terminal",
            hint="--debug='id; ls -la' runs a command in place of it",
        )
