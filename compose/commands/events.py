"""`buoy events`."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from compose.commands.logs import parse_moment
from compose.commands.target import check_services, find_target
from compose.reconcile import names

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    from compose.commands.context import Context
    from engine import Event

HELP = """Show what has become of the project's containers.

That is what commands have done, and kills for want of memory. No daemon looks on: ends and
restarts that no command asked for, and changes of health, are in `ps` and not on record here."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `buoy events`."""
    add = parser.add_argument
    add("services", nargs="*", metavar="SERVICE")
    add("--json", action="store_true", help="an object a line")
    add("--since", metavar="TIME", help="2026-01-02T15:04:05Z, or an age as 42m")
    add("--until", metavar="TIME", help="likewise")


def run(args: argparse.Namespace, context: Context) -> int:
    """Print what is on record, oldest first: 0."""
    target = find_target(context, args)
    now_s = time.time()
    since_s, until_s = (
        parse_moment(text, now_s) if text else None for text in (args.since, args.until)
    )
    found = [
        event
        for event in context.engine.containers.events(since_s=since_s, until_s=until_s)
        if event.labels.get(names.PROJECT) == target.name
        and event.labels.get(names.ONE_OFF) != "True"
    ]
    there = (event.labels.get(names.SERVICE, "") for event in found)
    check_services(args.services, {*target.services, *there})
    for event in found:
        if not args.services or event.labels.get(names.SERVICE) in args.services:
            context.console.out(_json(event) if args.json else _text(event))
    return 0


def _json(event: Event) -> str:
    from datetime import UTC, datetime

    shown = {
        "time": datetime.fromtimestamp(event.at, UTC).isoformat(),
        "type": "container",
        "service": event.labels.get(names.SERVICE, ""),
        "id": event.container,
        "action": event.action,
        "attributes": _attributes(event),
    }
    return json.dumps(shown, separators=(",", ":"))


def _text(event: Event) -> str:
    from datetime import datetime

    at = datetime.fromtimestamp(event.at).astimezone().strftime("%Y-%m-%d %H:%M:%S.%f")
    attributes = ", ".join(f"{key}={value}" for key, value in _attributes(event).items())
    return f"{at} container {event.action} {event.container} ({attributes})\n"


def _attributes(event: Event) -> Mapping[str, str]:
    """The container's labels, without those of Compose, and what the event says; by name."""
    own = {key: one for key, one in event.labels.items() if not key.startswith(names.PREFIX)}
    return dict(sorted((own | {key: _word(one) for key, one in event.attributes.items()}).items()))


def _word(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)
