"""`buoy system prune`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compose.commands.image_changes import parse_filter, say_pruned
from compose.commands.network_changes import unused_networks
from compose.ui.asking import agreed
from compose.ui.tables import format_size
from engine.errors import Problem

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable

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
    """0; 1 where the user does not agree. Raises an ExceptionGroup of what could not be removed,
    after all else is."""
    from engine import observe_disk_usage, prune_cache

    wanted = parse_filter(args.filter)
    if not args.force and not agreed(_warning(args)):
        return 1
    usage = observe_disk_usage(context.engine)
    pruning = Pruning(context, wanted)
    freed_bytes = pruning.containers(usage)
    if args.volumes:
        freed_bytes += pruning.volumes(usage)
    pruning.networks()
    images = context.engine.images.prune(wanted, every=args.all)
    say_pruned(context, images)
    cache = prune_cache(context.engine, unused_since=wanted.until_s)
    _say(context, "Deleted build cache objects:", [one.id[-64:] for one in cache.entries])
    freed_bytes += images.freed_bytes + cache.freed_bytes
    context.console.out(f"Total reclaimed space: {format_size(freed_bytes)}")
    if pruning.problems:
        raise ExceptionGroup("what is still there", pruning.problems)
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


class Pruning:
    """Removes one kind after the other. What somebody has begun to use meanwhile is no reason to
    leave the rest."""

    def __init__(self, context: Context, wanted: PruneFilter) -> None:
        self._context, self._wanted = context, wanted
        self.problems: list[Problem] = []

    def containers(self, usage: DiskUsage) -> int:
        """Bytes that are free now."""
        idle = {
            one.id: size
            for one, size in usage.containers
            if one.status in _IDLE and self._wanted.takes(one.labels, one.created_at)
        }
        gone = self._removed(idle, self._context.engine.containers.remove)
        _say(self._context, "Deleted Containers:", gone)
        return sum(idle[one] for one in gone)

    def volumes(self, usage: DiskUsage) -> int:
        """The same. Those of the containers that have just gone are unused by now."""
        engine = self._context.engine
        unused = {
            one.name: size
            for one, size in usage.volumes
            if one.anonymous
            and not engine.containers.users_of_volume(one.name)
            and self._wanted.takes(one.labels, one.created_at)
        }
        gone = self._removed(unused, engine.volumes.remove)
        _say(self._context, "Deleted Volumes:", gone)
        return sum(unused[one] for one in gone)

    def networks(self) -> None:
        """They take no space."""
        unused = [
            one.name
            for one in unused_networks(self._context)
            if self._wanted.takes(one.labels, one.created_at)
        ]
        gone = self._removed(unused, self._context.engine.networks.remove)
        _say(self._context, "Deleted Networks:", gone)

    def _removed(self, names: Iterable[str], remove: Callable[[str], None]) -> list[str]:
        gone = []
        for name in names:
            try:
                remove(name)
            except Problem as problem:
                self.problems.append(problem)
            else:
                gone.append(name)
        return gone


def _say(context: Context, title: str, names: list[str]) -> None:
    if names:
        context.console.out("\n".join((title, *names)) + "\n")
