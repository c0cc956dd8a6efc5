"""`buoy image load`, `save`, `import` and `export`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from compose.commands.image_platform import add_platform, check_platform
from compose.commands.parsing import UsageProblem

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from compose.commands.context import Context


def add_load(parser: argparse.ArgumentParser) -> None:
    """Load images from a docker-archive or an OCI layout, compressed or not."""
    add = parser.add_argument
    add("-i", "--input", metavar="PATH", default="-", help="instead of standard input")
    add("-q", "--quiet", action="store_true", help="no progress")


def run_load(args: argparse.Namespace, context: Context) -> int:
    """0."""
    if args.input == "-" and sys.stdin.isatty():
        raise UsageProblem("standard input is a terminal", hint="name the file with -i")
    for image in context.engine.images.load(args.input, _progress(args, context)):
        names = [f"{repository}:{tag}" for repository, tag in image.repository_tags]
        for name in names or [f"ID: {image.id}"]:
            context.console.out(f"Loaded image{': ' if names else ' '}{name}")
    return 0


def _progress(
    args: argparse.Namespace, context: Context
) -> Callable[[str, str, int | None, int | None], None]:
    """One line for each layer when it is there."""

    def show(subject: str, text: str, done_bytes: int | None, total_bytes: int | None) -> None:
        quiet = args.quiet or context.console.progress in ("quiet", "none")
        if not quiet and done_bytes == total_bytes and text != "Downloading":
            shown = "Loaded" if text == "Pull complete" else text
            context.console.status(f" {subject}  {shown}")

    return show


def add_save(parser: argparse.ArgumentParser) -> None:
    """Write images as one archive, to a file or to standard output.

    A name without a tag stands for all its tags.
    """
    add = parser.add_argument
    add("images", nargs="+", metavar="IMAGE")
    add("-o", "--output", metavar="FILE", default="-", help="instead of standard output")
    text = "docker-archive (default), or oci: as it came, with the digests of the registry"
    add("--format", choices=("docker-archive", "oci"), default="docker-archive", help=text)
    add_platform(parser)


def run_save(args: argparse.Namespace, context: Context) -> int:
    """0; a file that could not be written whole is not there."""
    from compose.commands.writing import output

    wanted = context.engine.images.select_to_save(args.images)
    for one in wanted:
        check_platform(one.image, next(iter(one.references), one.image.id), args.platform)
    with output(args.output) as file:
        context.engine.images.save(wanted, file, args.format)
    return 0


def add_import(parser: argparse.ArgumentParser) -> None:
    """Make an image of the tar of a root filesystem, compressed or not."""
    add = parser.add_argument
    add("file", metavar="FILE|URL|-")
    add("reference", nargs="?", metavar="REFERENCE")
    add("-m", "--message", metavar="TEXT", help="comment in the image's history")
    text = "instruction of a Dockerfile, as 'CMD [\"sh\"]'; repeatable"
    add("-c", "--change", action="append", default=[], metavar="INSTRUCTION", help=text)


def run_import(args: argparse.Namespace, context: Context) -> int:
    """0 with the id on stdout."""
    from engine import changed_config

    image = context.engine.images.import_tar(
        args.file, args.reference, changed_config(args.change), message=args.message
    )
    context.console.out(image.id)
    return 0


def add_export(parser: argparse.ArgumentParser) -> None:
    """Write the root filesystem of an image as a tar, its layers put together."""
    parser.add_argument("image", metavar="IMAGE")
    parser.add_argument("-o", "--output", metavar="FILE", default="-", help="not standard output")


def run_export(args: argparse.Namespace, context: Context) -> int:
    """0; a file that could not be written whole is not there."""
    from compose.commands.writing import output

    image = context.engine.images.get(args.image)
    with output(args.output) as file:
        context.engine.containers.export_layers(image.lowers, file)
    return 0
