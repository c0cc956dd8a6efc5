"""`ps`: the processes of a container, as the host sees them."""

from __future__ import annotations

import json
import sys

from engine.oci.cgroup import cgroup_of
from engine.oci.errors import OciProblem
from engine.oci.store import find

TYPE_CHECKING = False
if TYPE_CHECKING:
    from engine.oci.log import Log
    from engine.oci.options import Given


def run(root: str, given: Given, log: Log) -> int:
    """A JSON list of pids, or the lines of ps(1) that are about them."""
    container = find(root, given.arguments[0])
    form = given.text("format", "table")
    if form not in ("table", "json"):
        raise OciProblem(f"invalid format option: {form}", code="usage")
    pids = cgroup_of(container.config()).processes()
    if form == "json":
        sys.stdout.write(json.dumps(pids) + "\n")
    else:
        sys.stdout.writelines(_lines(given.arguments[1:] or ["-ef"], pids))
    return 0


def _lines(options: list[str], pids: list[int]) -> list[str]:
    """The heading, and those with one of the pids in the column PID."""
    import subprocess

    try:
        done = subprocess.run(["ps", *options], capture_output=True, text=True, check=True)
    except FileNotFoundError:
        raise OciProblem("the program ps is not installed; --format json needs none") from None
    except subprocess.CalledProcessError as error:
        raise OciProblem(f"ps {' '.join(options)}: {error.stderr.strip()}") from None
    heading, *lines = done.stdout.splitlines(keepends=True)
    if "PID" not in heading.split():
        raise OciProblem("ps shows no column PID with these options")
    column = heading.split().index("PID")
    wanted = {str(pid) for pid in pids}
    return [heading, *(line for line in lines if line.split()[column] in wanted)]
