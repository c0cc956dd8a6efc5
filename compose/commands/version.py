"""`buoy version`."""

from __future__ import annotations

from compose import __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from compose.commands.context import Context

HELP = "Show the version."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `buoy version`."""
    parser.add_argument("--short", action="store_true", help="the number alone")
    parser.add_argument("-f", "--format", choices=("pretty", "json"), default="pretty")


def run(args: argparse.Namespace, context: Context) -> int:
    """Print the version: 0."""
    if args.format == "json":
        context.console.out(f'{{"version":"{__version__}"}}')
    elif args.short:
        context.console.out(__version__)
    else:
        context.console.out(f"Buoy version {__version__}")
    return 0
