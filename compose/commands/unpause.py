"""`buoy unpause`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compose.commands import pause

if TYPE_CHECKING:
    import argparse

    from compose.commands.context import Context

HELP = "Let paused containers go on."

add_arguments = pause.add_arguments


async def run(args: argparse.Namespace, context: Context) -> int:
    """Let what is paused go on: 0, also when nothing is."""
    return await pause.change(args, context, back=True)
