"""`buoy port`."""

from __future__ import annotations

from compose.commands.target import find_target
from compose.ui.containers import format_host_port
from engine.errors import Problem

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from compose.commands.context import Context

HELP = "Show the host's address at which a port of a container is published."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `buoy port`."""
    parser.add_argument("service", metavar="SERVICE")
    parser.add_argument("port", type=int, metavar="PRIVATE_PORT")
    parser.add_argument("--protocol", choices=("tcp", "udp", "sctp"), default="tcp")
    parser.add_argument("--index", type=int, default=0, metavar="N", help="number of the replica")


def run(args: argparse.Namespace, context: Context) -> int:
    """Print `0.0.0.0:8080`: 0; a port that is not published is a problem."""
    target = find_target(context, args)
    container = target.replica(args.service, args.index)
    for port in container.ports:
        if (port.target, port.protocol) == (args.port, args.protocol):
            context.console.out(format_host_port(port))
            return 0
    ports = dict.fromkeys(f"{port.target}/{port.protocol}" for port in container.ports)
    published = ", ".join(ports)
    raise Problem(
        f"{target.short_name(container)} does not publish port {args.port}/{args.protocol}",
        hint=f"it publishes {published}" if published else "it publishes none",
        code="port-not-published",
    )
