"""`buoy start`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compose.commands.target import find_target
from compose.reconcile.lifecycle import plan_start
from engine.errors import ContainerProblem

if TYPE_CHECKING:
    import argparse

    from compose.commands.context import Context

HELP = "Start containers that exist, each after those it needs."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `buoy start`."""
    parser.add_argument("services", nargs="*", metavar="SERVICE")


async def run(args: argparse.Namespace, context: Context) -> int:
    """Start what does not run: 0. A named service without a container is a problem."""
    from compose.commands.applying import apply
    from compose.reconcile.perform import Settings

    target = find_target(context, args)
    target.check_exists()
    target.containers(args.services)
    for service in args.services:
        if not target.observed.of_service(service):
            raise ContainerProblem(
                f"service `{service}` has no container to start",
                hint=f"`buoy up -d {service}` creates one",
                code="no-container",
            )
    steps = plan_start(target.observed, tuple(args.services))
    await apply(context, steps, Settings(), target.project, title="start")
    return 0
