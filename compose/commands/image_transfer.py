"""`buoy image pull` and `push`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from compose.commands.image_platform import add_platform, check_platform
from compose.commands.parsing import UsageProblem
from compose.ui.layers import layer_report

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

    from compose.commands.context import Context


def add_pull(parser: argparse.ArgumentParser) -> None:
    """Fetch an image from its registry."""
    add = parser.add_argument
    add("name", metavar="NAME[:TAG|@DIGEST]")
    add("-a", "--all-tags", action="store_true", help="every tag of the repository")
    add("-q", "--quiet", action="store_true", help="print its name alone")
    add("--platform", metavar="OS/ARCH[/VARIANT]", help="one for another kind of machine")


def add_push(parser: argparse.ArgumentParser) -> None:
    """Send an image to the registry that is in its name.

    Of an image for several platforms the one that is here is sent, not the index of all.
    """
    add = parser.add_argument
    add("name", metavar="NAME[:TAG]")
    add("-a", "--all-tags", action="store_true", help="all that are here of the name")
    add("-q", "--quiet", action="store_true", help="print its name alone")
    add_platform(parser)


def run_pull(args: argparse.Namespace, context: Context) -> int:
    """Say the digest and what has become of it, and print the complete name: 0."""
    from engine import parse_source

    images = context.engine.images
    platform = args.platform or os.environ.get("DOCKER_DEFAULT_PLATFORM") or None
    for reference in _references(args, images.tags):
        with layer_report(context.console, "Pulling fs layer", quiet=args.quiet) as report:
            images.pull(reference, report, platform)
        context.console.out(parse_source(reference).name)
    return 0


def run_push(args: argparse.Namespace, context: Context) -> int:
    """Say what has become of it there; with -q, print the complete name: 0."""
    images = context.engine.images
    for reference in _references(args, images.names_of):
        if args.platform:
            check_platform(images.get(reference), reference, args.platform)
        with layer_report(context.console, "Preparing", quiet=args.quiet) as report:
            pushed = images.push(reference, report)
        if args.quiet:
            context.console.out(pushed.reference)
    return 0


def _references(
    args: argparse.Namespace, find_all: Callable[[str], Sequence[str]]
) -> Sequence[str]:
    """The one that is named; with -a all that there are of it."""
    name: str = args.name
    if not args.all_tags:
        return (name,)
    if "@" in name or ":" in name.rpartition("/")[2]:
        raise UsageProblem("a tag cannot be used with --all-tags", hint=f"leave it out of {name}")
    return find_all(name)
