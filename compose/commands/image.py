"""`buoy image`: ls, rm, import, load, tag."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from compose.commands.parsing import UsageProblem
from compose.ui import images as format_
from compose.ui.tables import format_size, format_table
from engine.errors import Problem

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator

    from compose.commands.context import Context
    from engine import Image

HELP = "Manage images, of all projects."
TITLES = ("REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verbs of `buoy image`."""
    verbs = parser.add_subparsers(
        dest="action", required=True, metavar="ls | rm | import | load | tag"
    )

    def verb(name: str, description: str) -> Callable[..., object]:
        parser = verbs.add_parser(name, description=description, prog=f"buoy image {name}")
        return parser.add_argument

    add = verb("ls", "List images.")
    add("-q", "--quiet", action="store_true", help="ids alone, each once")
    add("--no-trunc", action="store_true", help="full ids")
    add("--format", choices=("table", "json"), default="table")
    add = verb("rm", "Remove names of images, and images with their last name.")
    add("images", nargs="+", metavar="IMAGE")
    add("-f", "--force", action="store_true", help="all names of an id; absence is no problem")
    add = verb("import", "Make an image of the tar of a root filesystem.")
    add("file", metavar="FILE|-")
    add("reference", nargs="?", metavar="REFERENCE")
    add = verb("load", "Load images from a docker-archive or an OCI layout.")
    add("-i", "--input", metavar="PATH", default="-", help="instead of standard input")
    add("-q", "--quiet", action="store_true", help="no progress")
    add = verb("tag", "Give an image another name.")
    add("source", metavar="IMAGE")
    add("reference", metavar="REFERENCE")


def run(args: argparse.Namespace, context: Context) -> int:
    """0; an ExceptionGroup of images that could not be removed."""
    actions = {"ls": _list, "rm": _remove, "import": _import, "load": _load, "tag": _tag}
    actions[args.action](args, context)
    return 0


def _list(args: argparse.Namespace, context: Context) -> None:
    images = context.engine.images.list()
    if args.quiet:
        lines = [image.id if args.no_trunc else format_.format_id(image) for image in images]
    elif args.format == "json":
        lines = [json.dumps(_fields(*found)) for found in _named(images)]
    else:
        rows = [_row(*found, full=args.no_trunc) for found in _named(images)]
        lines = [format_table(TITLES, rows)]
    for line in lines:
        context.console.out(line)


def _named(images: list[Image]) -> Iterator[tuple[Image, str, str]]:
    for image in images:
        for repository, tag in image.repository_tags or (("", ""),):
            yield image, repository or format_.NONE, tag or format_.NONE


def _row(image: Image, repository: str, tag: str, *, full: bool) -> tuple[str, ...]:
    identity = image.id if full else format_.format_id(image)
    created, size = format_.format_created(image), format_size(image.size_bytes)
    return repository, tag, identity, created, size


def _fields(image: Image, repository: str, tag: str) -> dict[str, str]:
    return {
        "Repository": repository,
        "Tag": tag,
        "ID": format_.format_id(image),
        "Digest": image.manifest_digest or format_.NONE,
        "CreatedSince": format_.format_created(image),
        "CreatedAt": image.created,
        "Size": format_size(image.size_bytes),
    }


def _remove(args: argparse.Namespace, context: Context) -> None:
    problems: list[Problem] = []
    for name in args.images:
        try:
            for line in context.engine.images.remove(name, force=args.force):
                context.console.out(line)
        except Problem as problem:
            if not (args.force and problem.code == "no-such-image"):
                problems.append(problem)
    if problems:
        raise ExceptionGroup("images that are still there", problems)


def _import(args: argparse.Namespace, context: Context) -> None:
    image = context.engine.images.import_tar(args.file, args.reference)
    context.console.out(image.id)


def _load(args: argparse.Namespace, context: Context) -> None:
    if args.input == "-" and sys.stdin.isatty():
        raise UsageProblem("standard input is a terminal", hint="name the file with -i")
    for image in context.engine.images.load(args.input, _progress(args, context)):
        names = [f"{repository}:{tag}" for repository, tag in image.repository_tags]
        for name in names or [f"ID: {image.id}"]:
            context.console.out(f"Loaded image{': ' if names else ' '}{name}")


def _progress(
    args: argparse.Namespace, context: Context
) -> Callable[[str, str, int | None, int | None], None]:
    """One line for each layer when it is there."""

    def show(subject: str, text: str, done_bytes: int | None, total_bytes: int | None) -> None:
        quiet = args.quiet or context.console.progress in ("quiet", "none")
        if not quiet and done_bytes == total_bytes and text != "Downloading":
            context.console.status(f" {subject}  {text}")

    return show


def _tag(args: argparse.Namespace, context: Context) -> None:
    context.engine.images.tag(args.source, args.reference)
