"""`buoy system prune`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compose.commands.image_changes import parse_filter, say_pruned
from compose.commands.network_changes import unused_networks
from compose.ui.asking import agreed
from compose.ui.tables import format_size

if TYPE_CHECKING:
    import argparse

    from compose.commands.context import Context
    from engine import DiskUsage, PruneFilter

_FILTERS = "until=TIME, label=KEY[=VALUE] or label!=KEY[=VALUE]"
_IDLE = ("created", "exited", "dead")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `buoy system prune`."""
    add = parser.add_argument
    add("-a", "--all", action="store_true", help="images that have a name, too")
    add("--volumes", action="store_true", help="anonymous volumes, too")
    add("-f", "--force", action="store_true", help="without asking")
    add("--filter", action="append", default=[], metavar="FILTER", help=_FILTERS)


def run(args: argparse.Namespace, context: Context) -> int:
    """0; 1 where the user does not agree."""
    from engine import observe_disk_usage, prune_cache

    wanted = parse_filter(args.filter)
    if not args.force and not agreed(_warning(args)):
        return 1
    usage = observe_disk_usage(context.engine)
    freed_bytes = _prune_containers(context, usage, wanted)
    if args.volumes:
        freed_bytes += _prune_volumes(context, usage, wanted)
    _prune_networks(context, wanted)
    images = context.engine.images.prune(wanted, every=args.all)
    say_pruned(context, images)
    cache = prune_cache(context.engine, unused_since=wanted.until_s)
    _say(context, "Deleted build cache objects:", [one.id[-64:] for one in cache.entries])
    freed_bytes += images.freed_bytes + cache.freed_bytes
    context.console.out(f"Total reclaimed space: {format_size(freed_bytes)}")
    return 0


def _warning(args: argparse.Namespace) -> str:
    images = "images without at least one container" if args.all else "dangling images"
    lines = [
        "all stopped containers",
        "all networks not used by at least one container",
        *(["all anonymous volumes not used by at least one container"] if args.volumes else []),
        f"all {images}",
        "unused build cache",
    ]
    return "WARNING! This will remove:\n" + "".join(f"  - {line}\n" for line in lines)


def _prune_containers(context: Context, usage: DiskUsage, wanted: PruneFilter) -> int:
    idle = [
        (one, size)
        for one, size in usage.containers
        if one.status in _IDLE and wanted.takes(one.labels, one.created_at)
    ]
    for one, _ in idle:
        context.engine.containers.remove(one.id)
    _say(context, "Deleted Containers:", [one.id for one, _ in idle])
    return sum(size for _, size in idle)


def _prune_volumes(context: Context, usage: DiskUsage, wanted: PruneFilter) -> int:
    """Those of the containers that have just gone are unused by now."""
    unused = [
        (one, size)
        for one, size in usage.volumes
        if one.anonymous
        and not context.engine.containers.users_of_volume(one.name)
        and wanted.takes(one.labels, one.created_at)
    ]
    for one, _ in unused:
        context.engine.volumes.remove(one.name)
    _say(context, "Deleted Volumes:", [one.name for one, _ in unused])
    return sum(size for _, size in unused)


def _prune_networks(context: Context, wanted: PruneFilter) -> None:
    unused = [one for one in unused_networks(context) if wanted.takes(one.labels, one.created_at)]
    for one in unused:
        context.engine.networks.remove(one.name, must_exist=False)
    _say(context, "Deleted Networks:", [one.name for one in unused])


def _say(context: Context, title: str, names: list[str]) -> None:
    if names:
        context.console.out("\n".join((title, *names)) + "\n")
