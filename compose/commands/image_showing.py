"""`buoy image ls`, `inspect` and `history`."""

from __future__ import annotations

import argparse
import json

from compose.commands.image_platform import add_platform, check_platform
from compose.commands.parsing import UsageProblem, add_switch, switch
from compose.ui import images as format_
from compose.ui.image_details import details, steps
from compose.ui.tables import format_size, format_table
from engine.errors import Problem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from compose.commands.context import Context
    from engine import Image

_LISTED = {
    "Repository": "REPOSITORY",
    "Tag": "TAG",
    "Digest": "DIGEST",
    "ID": "IMAGE ID",
    "CreatedSince": "CREATED",
    "CreatedAt": "CREATED AT",
    "Size": "SIZE",
    "Containers": "CONTAINERS",
    "SharedSize": "SHARED SIZE",
    "UniqueSize": "UNIQUE SIZE",
}
_COUNTED = ("Containers", "SharedSize", "UniqueSize")  # by `system df` alone, as with docker
_COLUMNS = ("Repository", "Tag", "ID", "CreatedSince", "Size")
_STEPS = {
    "ID": "IMAGE",
    "CreatedSince": "CREATED",
    "CreatedAt": "CREATED AT",
    "CreatedBy": "CREATED BY",
    "Size": "SIZE",
    "Comment": "COMMENT",
}
_STEP_COLUMNS = ("ID", "CreatedSince", "CreatedBy", "Size", "Comment")
_FILTERS = "dangling=BOOL, label=KEY[=VALUE], before=IMAGE, since=IMAGE or reference=PATTERN"


def add_ls(parser: argparse.ArgumentParser) -> None:
    """List images."""
    add = parser.add_argument
    add("name", nargs="?", metavar="REPOSITORY[:TAG]")
    add("-a", "--all", action="store_true", help="as without: there are no hidden ones")
    add("-q", "--quiet", action="store_true", help="ids alone, each once")
    add("--digests", action="store_true", help="what the names meant in their registries")
    add("--no-trunc", action="store_true", help="full ids")
    add("-f", "--filter", action="append", default=[], metavar="FILTER", help=_FILTERS)
    add("--format", default="table", metavar="FORMAT", help="table, json or a template")


def run_ls(args: argparse.Namespace, context: Context) -> int:
    """0."""
    shown = [*_selected(args, context)]
    if args.quiet:
        identities = (
            image.id if args.no_trunc else format_.format_id(image) for image, *_ in shown
        )
        lines = list(dict.fromkeys(identities))
    else:
        rows = [_fields(context, *one, full=args.no_trunc) for one in shown]
        columns = [*_COLUMNS[:2], "Digest", *_COLUMNS[2:]] if args.digests else _COLUMNS
        lines = [_formatted(args.format, _LISTED, columns, rows)]
    for line in filter(None, lines):
        context.console.out(line)
    return 0


def _formatted(
    template: str, titles: dict[str, str], columns: Any, rows: list[dict[str, Any]]
) -> str:
    if template == "table":
        lines = [[str(row[column]) for column in columns] for row in rows]
        return format_table([titles[column] for column in columns], lines)
    from compose.ui.templates.rows import format_rows

    return format_rows(template, titles, rows)


def _selected(args: argparse.Namespace, context: Context) -> Iterator[tuple[Image, str, str]]:
    """Each image by each of its names."""
    filters = [_filter(text) for text in args.filter]
    if args.name is not None:
        filters.append(("reference", args.name))
    found = context.engine.images.list()
    for image in found:
        for repository, tag in image.repository_tags or (("", ""),):
            names = repository or format_.NONE, tag or format_.NONE
            if all(_takes(context, image, names, *one) for one in filters):
                yield image, *names


def _filter(text: str) -> tuple[str, str]:
    kind, equals, value = text.partition("=")
    if not equals or kind not in ("dangling", "label", "before", "since", "reference"):
        raise UsageProblem(f"there is no filter `{text}`", hint=_FILTERS)
    if kind == "dangling":
        _is_true(value)
    return kind, value


def _is_true(value: str) -> bool:
    try:
        return switch(value)
    except argparse.ArgumentTypeError as error:
        raise UsageProblem(f"filter dangling: {error}") from None


def _takes(context: Context, image: Image, names: tuple[str, str], kind: str, value: str) -> bool:
    if kind == "dangling":
        return _is_true(value) == (not image.references)
    if kind == "label":
        key, equals, wanted = value.partition("=")
        labels = image.config.labels
        return key in labels and (not equals or labels[key] == wanted)
    if kind == "reference":
        return _is_named(names, value)
    other = format_.created_at(context.engine.images.get(value)) or 0
    own = format_.created_at(image) or 0
    return own < other if kind == "before" else own > other


def _is_named(names: tuple[str, str], pattern: str) -> bool:
    """As `path.Match` of Go: `*` and `?` do not go across a slash."""
    from fnmatch import fnmatchcase

    repository, tag = names
    head, colon, end = pattern.rpartition(":")
    wanted, wanted_tag = (head, end) if colon and "/" not in end else (pattern, "*")
    parts, wanted_parts = repository.split("/"), wanted.split("/")
    return len(parts) == len(wanted_parts) and all(
        fnmatchcase(*pair) for pair in zip([*parts, tag], [*wanted_parts, wanted_tag], strict=True)
    )


def _fields(
    context: Context, image: Image, repository: str, tag: str, *, full: bool
) -> dict[str, Any]:
    pinned = context.engine.images.pinned(image)
    return {
        "Repository": repository,
        "Tag": tag,
        "ID": image.id if full else format_.format_id(image),
        "Digest": pinned.get((repository, tag), image.manifest_digest or format_.NONE),
        "CreatedSince": format_.format_created(image),
        "CreatedAt": image.created,
        "Size": format_size(image.size_bytes),
        **dict.fromkeys(_COUNTED, "N/A"),
    }


def add_inspect(parser: argparse.ArgumentParser) -> None:
    """Show all that is known of images, as JSON."""
    parser.add_argument("images", nargs="+", metavar="IMAGE")
    parser.add_argument("-f", "--format", metavar="TEMPLATE", help="json, or a template")
    add_platform(parser)


def run_inspect(args: argparse.Namespace, context: Context) -> int:
    """0; an ExceptionGroup of those that are not here, after all others."""
    found, problems = [], []
    for name in args.images:
        try:
            image = context.engine.images.get(name)
            check_platform(image, name, args.platform)
            found.append(details(context.engine, image))
        except Problem as problem:
            problems.append(problem)
    if args.format and args.format != "json":
        from compose.ui.templates.blocks import render

        for one in found:
            context.console.out(render(args.format, one))
    else:
        context.console.out(json.dumps(found, indent=4, ensure_ascii=False))
    if problems:
        raise ExceptionGroup("images that are not here", problems)
    return 0


def add_history(parser: argparse.ArgumentParser) -> None:
    """Show how an image was made, the last step first."""
    add = parser.add_argument
    add("image", metavar="IMAGE")
    add("-q", "--quiet", action="store_true", help="ids alone")
    add("--no-trunc", action="store_true", help="whole instructions and ids")
    add_switch(parser, "-H", "--human", text="ages and sizes for people (true)")
    add("--format", default="table", metavar="FORMAT", help="table, json or a template")
    add_platform(parser)


def run_history(args: argparse.Namespace, context: Context) -> int:
    """0."""
    image = context.engine.images.get(args.image)
    check_platform(image, args.image, args.platform)
    rows = [*steps(context.engine, image, full=args.no_trunc, human=args.human)]
    if args.quiet:
        text = "\n".join(row["ID"] for row in rows)
    else:
        text = _formatted(args.format, _STEPS, _STEP_COLUMNS, rows)
    if text:
        context.console.out(text)
    return 0
