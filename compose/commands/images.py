"""`buoy images`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from compose.commands.target import find_target
from compose.ui import images as format_
from compose.ui.tables import format_size, format_table

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from compose.commands.context import Context
    from engine import Container, Image

HELP = "List the images that the containers use."
TITLES = ("CONTAINER", "REPOSITORY", "TAG", "PLATFORM", "IMAGE ID", "SIZE", "CREATED")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `buoy images`."""
    parser.add_argument("services", nargs="*", metavar="SERVICE")
    parser.add_argument("-q", "--quiet", action="store_true", help="ids alone, each once")
    parser.add_argument("--format", choices=("table", "json"), default="table")


def run(args: argparse.Namespace, context: Context) -> int:
    """Print the images: 0."""
    containers = find_target(context, args).containers(args.services)
    found = list(_with_images(context, containers))
    if args.quiet:
        lines = list(dict.fromkeys(format_.format_id(image, full=True) for _, image in found))
    elif args.format == "json":
        lines = [json.dumps([_fields(container, image) for container, image in found])]
    else:
        lines = [format_table(TITLES, [_row(container, image) for container, image in found])]
    for line in lines:
        context.console.out(line)
    return 0


def _with_images(
    context: Context, containers: tuple[Container, ...]
) -> Iterator[tuple[Container, Image]]:
    for container in sorted(containers, key=lambda one: one.name):
        image = context.engine.images.find(container.image_id or container.reference)
        if image is not None:
            yield container, image


def _name(container: Container, image: Image) -> tuple[str, str]:
    """The name that the container was made by, if it still means the image; else any."""
    for repository, tag in image.repository_tags:
        if container.reference in (repository, f"{repository}:{tag}"):
            return repository, tag
    return image.repository_tags[0] if image.repository_tags else ("", "")


def _row(container: Container, image: Image) -> tuple[str, ...]:
    repository, tag = _name(container, image)
    return (
        container.name,
        repository or format_.NONE,
        tag or format_.NONE,
        format_.format_platform(image),
        format_.format_id(image),
        format_size(image.size_bytes),
        format_.format_created(image),
    )


def _fields(container: Container, image: Image) -> dict[str, object]:
    repository, tag = _name(container, image)
    return {
        "ID": image.id,
        "ContainerName": container.name,
        "Repository": repository,
        "Tag": tag,
        "Platform": format_.format_platform(image),
        "Size": image.size_bytes,
        "Created": image.created,
    }
