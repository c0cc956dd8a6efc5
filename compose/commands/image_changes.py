"""`buoy image tag`, `rm`, `prune` and `verify`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from compose.commands.image_platform import add_platform, check_platform
from compose.commands.parsing import UsageProblem
from compose.ui.asking import agreed
from compose.ui.tables import format_size
from engine.errors import Problem

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from compose.commands.context import Context
    from engine import Image, PrunedImages, PruneFilter

_UNNAMED = "This removes all images without a name that no container was made from."
_UNUSED = "This removes all images that no container was made from."
_FILTERS = "until=TIME, label=KEY[=VALUE] or label!=KEY[=VALUE]"


def add_tag(parser: argparse.ArgumentParser) -> None:
    """Give an image another name."""
    parser.add_argument("source", metavar="IMAGE")
    parser.add_argument("reference", metavar="REFERENCE")


def run_tag(args: argparse.Namespace, context: Context) -> int:
    """0."""
    context.engine.images.tag(args.source, args.reference)
    return 0


def add_rm(parser: argparse.ArgumentParser) -> None:
    """Remove names of images, and images with their last name."""
    add = parser.add_argument
    add("images", nargs="+", metavar="IMAGE")
    add("-f", "--force", action="store_true", help="all names of an id; absence is no problem")
    add("--no-prune", action="store_true", help="as without: images have no unnamed parents here")
    add_platform(parser)


def run_rm(args: argparse.Namespace, context: Context) -> int:
    """0; an ExceptionGroup of images that could not be removed."""
    images = context.engine.images
    problems: list[Problem] = []
    for name in args.images:
        try:
            if args.platform:
                check_platform(images.get(name), name, args.platform)
            for line in images.remove(name, force=args.force):
                context.console.out(line)
        except Problem as problem:
            if not (args.force and problem.code == "no-such-image"):
                problems.append(problem)
    if problems:
        raise ExceptionGroup("images that are still there", problems)
    return 0


def add_prune(parser: argparse.ArgumentParser) -> None:
    """Remove images that no container was made from."""
    add = parser.add_argument
    add("-a", "--all", action="store_true", help="those that have a name, too")
    add("-f", "--force", action="store_true", help="without asking")
    add("--filter", action="append", default=[], metavar="FILTER", help=_FILTERS)


def run_prune(args: argparse.Namespace, context: Context) -> int:
    """0; 1 where the user does not agree."""
    wanted = parse_filter(args.filter)
    if not args.force and not agreed(_UNUSED if args.all else _UNNAMED):
        return 1
    pruned = context.engine.images.prune(wanted, every=args.all)
    say_pruned(context, pruned)
    context.console.out(f"Total reclaimed space: {format_size(pruned.freed_bytes)}")
    return 0


def say_pruned(context: Context, pruned: PrunedImages) -> None:
    """The images that went, in Docker's words."""
    if pruned.lines:
        lines = "\n".join(line[0].lower() + line[1:] for line in pruned.lines)
        context.console.out(f"Deleted Images:\n{lines}\n")


def parse_filter(texts: Iterable[str]) -> PruneFilter:
    """`until=24h`, `label=a=b`, `label!=c`. Raises UsageProblem."""
    from compose.commands.logs import parse_moment
    from engine import PruneFilter

    until_s: float | None = None
    labels: list[tuple[str, str | None]] = []
    others: list[tuple[str, str | None]] = []
    for text in texts:
        kind, equals, value = text.partition("=")
        if kind == "until" and equals:
            until_s = parse_moment(value, time.time())
        elif kind in ("label", "label!") and equals:
            key, sign, content = value.partition("=")
            (labels if kind == "label" else others).append((key, content if sign else None))
        else:
            raise UsageProblem(f"there is no filter `{text}`", hint=_FILTERS)
    return PruneFilter(until_s=until_s, labels=tuple(labels), not_labels=tuple(others))


def add_verify(parser: argparse.ArgumentParser) -> None:
    """Read all that is kept of images, and tell what is damaged."""
    parser.add_argument("images", nargs="*", metavar="IMAGE", help="all, if none is named")
    text = "have what is damaged again: from what is here, or from the registry"
    parser.add_argument("--repair", action="store_true", help=text)


def run_verify(args: argparse.Namespace, context: Context) -> int:
    """0 where all is whole, or is so again; 1 where something is damaged."""
    images = context.engine.images
    found = [images.get(name) for name in args.images] if args.images else images.list()
    whole = [_is_whole(context, image, repair=args.repair) for image in found]
    return 0 if all(whole) else 1


def _is_whole(context: Context, image: Image, *, repair: bool) -> bool:
    images, name = context.engine.images, _name(image)
    damage = images.verify(image)
    for one in damage:
        context.console.out(f"{name}: {one.what}")
    if damage and repair:
        images.repair(image, damage)
        damage = images.verify(image)
        if not damage:
            context.console.out(f"{name}: repaired")
    elif not damage:
        context.console.out(f"{name}: ok")
    return not damage


def _name(image: Image) -> str:
    return next((f"{name}:{tag}" for name, tag in image.repository_tags if tag), image.id)
