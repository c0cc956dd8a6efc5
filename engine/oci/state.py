"""`state` and `list`."""

from __future__ import annotations

import contextlib
import json
import os
import sys

from engine.containers.logs.stamps import stamp_of
from engine.oci.errors import NotFound, OciProblem
from engine.oci.store import Stored, all_of, find

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from engine.oci.log import Log
    from engine.oci.options import Given

_COLUMNS = ("ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER")


def run(root: str, given: Given, log: Log) -> int:
    """`state`."""
    container = find(root, given.arguments[0])
    sys.stdout.write(json.dumps(_described(container), indent=2) + "\n")
    return 0


def run_list(root: str, given: Given, log: Log) -> int:
    """`list`."""
    form = given.text("format", "table")
    if form not in ("table", "json"):
        raise OciProblem(f"invalid format option: {form}", code="usage")
    found = all_of(root)
    if given.flag("quiet"):
        sys.stdout.writelines(f"{container.id}\n" for container in found)
        return 0
    described = []
    for container in found:
        with contextlib.suppress(NotFound, FileNotFoundError):  # deleted meanwhile
            described.append(_described(container))
    if form == "json":
        sys.stdout.write(json.dumps(described) + "\n")
    else:
        _print_table([_COLUMNS, *map(_row, described)])
    return 0


def _described(container: Stored) -> dict[str, Any]:
    """As the specification has it, and what others tell beside it."""
    return {
        **container.shown(),
        "rootfs": container.config()["root"]["path"],
        "created": stamp_of(container.state["created_s"]),
        "owner": _owner(container.directory),
    }


def _owner(directory: str) -> str:
    uid = os.stat(directory).st_uid
    if uid == 0:
        return "root"
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"#{uid}"


def _row(described: dict[str, Any]) -> tuple[str, ...]:
    keys = ("id", "pid", "status", "bundle", "created", "owner")
    return tuple(str(described[key]) for key in keys)


def _print_table(rows: list[tuple[str, ...]]) -> None:
    widths = [max(map(len, column)) + 4 for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        sys.stdout.write("".join(cells).rstrip() + "\n")
