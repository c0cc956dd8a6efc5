"""What --debug of `buoy build` takes."""

from __future__ import annotations

import sys

from compose.commands.parsing import UsageProblem

SHELL = "true"  # what --debug without a command comes to


def check_debug(command: str) -> None:
    """Raise UsageProblem where a shell is wanted and nobody could type into it."""
    if command == SHELL and not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageProblem(
            "buoy build: --debug opens a shell, and this is no terminal",
            hint="--debug='id; ls -la' runs a command in place of it",
        )
