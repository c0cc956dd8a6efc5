"""`buoy commit`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compose.commands.parsing import add_switch
from compose.commands.target import find_target

if TYPE_CHECKING:
    import argparse

    from compose.commands.context import Context

HELP = """Make an image of a service's container as it is.

What is in its volumes is not part of it."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `buoy commit`."""
    add = parser.add_argument
    add("service", metavar="SERVICE")
    add("reference", nargs="?", metavar="REPOSITORY[:TAG]")
    add("-a", "--author", default="", metavar="TEXT", help='"Ada <ada@example.org>"')
    add("-m", "--message", default="", metavar="TEXT", help="comment in the image's history")
    text = "instruction of a Dockerfile, as 'CMD [\"sh\"]'; repeatable"
    add("-c", "--change", action="append", default=[], metavar="INSTRUCTION", help=text)
    add_switch(parser, "-p", "--pause", text="freeze it meanwhile (true)")
    add("--index", type=int, default=0, metavar="N", help="number of the replica")


async def run(args: argparse.Namespace, context: Context) -> int:
    """0 with the id of the image on stdout."""
    from engine import CommitSpec, commit

    container = find_target(context, args).any_replica(args.service, args.index)
    wanted = CommitSpec(
        reference=args.reference,
        author=args.author,
        message=args.message,
        changes=tuple(args.change),
        pause=args.pause,
    )
    image = await commit(context.engine, container.id, wanted)
    context.console.out(image.id)
    return 0
