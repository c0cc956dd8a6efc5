"""`buoy logout`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

    from compose.commands.context import Context

HELP = "Forget the login to a registry, Docker Hub if none is named."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `buoy logout`."""
    parser.add_argument("server", nargs="?", default="", metavar="SERVER")


def run(args: argparse.Namespace, context: Context) -> int:
    """0, also where there was none."""
    from engine import log_out, registry_domain

    domain = registry_domain(args.server)
    found = log_out(args.server)
    text = f"Removing login credentials for {domain}" if found else f"Not logged in to {domain}"
    context.console.out(text)
    return 0
