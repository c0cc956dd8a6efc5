"""`buoy exec`."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from compose.commands.docker_config import detach_keys
from compose.commands.parsing import UsageProblem, parse_variables
from compose.commands.target import find_target

if TYPE_CHECKING:
    from compose.commands.context import Context

HELP = """Run a command in a running container.

With a terminal on both ends it is given one; -T gives it none, -t one in any case. Ctrl-P Ctrl-Q
leaves one with a terminal and lets it run on. Options end at SERVICE."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `buoy exec`."""
    add = parser.add_argument
    add("-d", "--detach", action="store_true", help="in the background")
    add("-e", "--env", action="append", default=[], metavar="KEY[=VALUE]", help="repeatable")
    add("-u", "--user", help="name or uid, with :group or :gid")
    add("-w", "--workdir", metavar="DIR", help="directory inside")
    add("--privileged", action="store_true", help="all capabilities for this process")
    add("--index", type=int, default=0, metavar="N", help="number of the replica")
    add("-T", "--no-tty", action="store_true", help="no terminal")
    add("-t", "--tty", action="store_true", help="a terminal")
    add("-i", "--interactive", action="store_true", help=argparse.SUPPRESS)
    add("--detach-keys", metavar="KEYS", help="instead of ctrl-p,ctrl-q")
    add("service", metavar="SERVICE")
    add("command", nargs=argparse.REMAINDER, metavar="COMMAND ...")


async def run(args: argparse.Namespace, context: Context) -> int:
    """The command's exit code; 1 when the service does not run."""
    from engine import ExecSpec

    command = args.command[1:] if args.command[:1] == ["--"] else args.command
    if not command:
        raise UsageProblem("buoy exec: a COMMAND is missing", hint="as in `buoy exec web sh`")
    if args.tty and args.no_tty:
        raise UsageProblem("buoy exec: -t and -T exclude each other")
    container = find_target(context, args).replica(args.service, args.index)
    tty = sys.stdin.isatty() and sys.stdout.isatty()
    spec = ExecSpec(
        argv=tuple(command),
        environment=parse_variables(args.env),
        user=args.user,
        working_dir=args.workdir,
        tty=args.tty or (tty and not args.no_tty and not args.detach),
        interactive=not args.detach,
        privileged=args.privileged,
        detach=args.detach,
        keys=args.detach_keys or detach_keys(),
    )
    return await context.engine.containers.exec(container.id, spec)
