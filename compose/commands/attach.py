"""`buoy attach`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compose.commands.docker_config import detach_keys
from compose.commands.parsing import add_switch
from compose.commands.target import find_target

if TYPE_CHECKING:
    import argparse

    from compose.commands.context import Context

HELP = """Connect to the input and output of a running container.

Several may be attached to one; it never waits for any of them. Ctrl-P Ctrl-Q leaves a container
with a terminal and lets it run on; one without gets the signals that we get, as by Ctrl-C."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `buoy attach`."""
    add = parser.add_argument
    add("--index", type=int, default=0, metavar="N", help="number of the replica")
    add("--no-stdin", action="store_true", help="only look")
    add_switch(parser, "--sig-proxy")
    add("--detach-keys", metavar="KEYS", help="instead of ctrl-p,ctrl-q")
    add("service", metavar="SERVICE")


async def run(args: argparse.Namespace, context: Context) -> int:
    """The container's exit code; 0 after the keys that detach."""
    from engine import AttachSpec

    container = find_target(context, args).replica(args.service, args.index)
    spec = AttachSpec(
        stdin=not args.no_stdin,
        keys=args.detach_keys or detach_keys(),
        sig_proxy=args.sig_proxy,
    )
    code = await context.engine.containers.attach(container.id, spec, context.console.warn)
    if code is None:
        context.console.status("read escape sequence")
    return code or 0
