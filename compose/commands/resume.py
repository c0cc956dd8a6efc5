"""`buoy resume`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

    from compose.commands.context import Context

HELP = """After a restart of the host: start what its restart policy brings back, of all projects.

`always`, `unless-stopped` but for what was stopped by hand, `on-failure` after a failure."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`buoy resume` has no options."""


async def run(args: argparse.Namespace, context: Context) -> int:
    """Print the names of the containers that were started: 0, also for none."""
    for container in await context.engine.containers.resume():
        context.console.out(container.name)
    return 0
