"""`buoy ls`."""

from __future__ import annotations

import json

from compose.commands.parsing import UsageProblem
from compose.reconcile import names
from compose.ui.tables import format_table

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from compose.commands.context import Context
    from engine import Container

HELP = "List the projects of this host: those with a running container, with -a all."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `buoy ls`."""
    parser.add_argument("-a", "--all", action="store_true", help="those that have stopped too")
    parser.add_argument("--filter", metavar="name=REGEX", help="only those whose name matches")
    parser.add_argument("--format", choices=("table", "json"), default="table")
    parser.add_argument("-q", "--quiet", action="store_true", help="names alone")


def run(args: argparse.Namespace, context: Context) -> int:
    """Print the projects: 0."""
    rows = [
        {"Name": name, "Status": describe(containers), "ConfigFiles": config_files(containers)}
        for name, containers in sorted(_by_project(context.engine.containers.list()).items())
        if args.all or any(container.status == "running" for container in containers)
    ]
    if args.filter:
        rows = _filtered(rows, args.filter)
    if args.quiet:
        for row in rows:
            context.console.out(row["Name"])
    elif args.format == "json":
        context.console.out(json.dumps(rows, separators=(",", ":")))
    else:
        titles = ("NAME", "STATUS", "CONFIG FILES")
        context.console.out(format_table(titles, [tuple(row.values()) for row in rows]))
    return 0


def describe(containers: Iterable[Container]) -> str:
    """`exited(1), running(2)`."""
    counts: dict[str, int] = {}
    for container in containers:
        counts[container.status] = counts.get(container.status, 0) + 1
    return ", ".join(f"{status}({count})" for status, count in sorted(counts.items()))


def config_files(containers: Iterable[Container]) -> str:
    """The files its containers were made from, each once."""
    files = (one.labels.get(names.CONFIG_FILES, "") for one in containers)
    return ",".join(dict.fromkeys(path for text in files for path in text.split(",") if path))


def _by_project(containers: Iterable[Container]) -> dict[str, list[Container]]:
    projects: dict[str, list[Container]] = {}
    for container in containers:
        if names.PROJECT in container.labels and names.CONFIG_HASH in container.labels:
            projects.setdefault(container.labels[names.PROJECT], []).append(container)
    return projects


def _filtered(rows: list[dict[str, str]], condition: str) -> list[dict[str, str]]:
    import re

    key, _, pattern = condition.partition("=")
    if key != "name":
        raise UsageProblem(f"ls cannot filter by `{key}`", hint="only by name=REGEX")
    try:
        wanted = re.compile(pattern)
    except re.error as error:
        raise UsageProblem(f"`{pattern}` is no regular expression: {error}") from None
    return [row for row in rows if wanted.search(row["Name"])]
