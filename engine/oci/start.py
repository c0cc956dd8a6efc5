"""`start`: the program of a created container runs."""

from __future__ import annotations

import contextlib
import os

from engine.oci import hooks, waiting
from engine.oci.delete import end
from engine.oci.errors import OciProblem, start_failed
from engine.oci.store import START_NAME, Stored, find

TYPE_CHECKING = False
if TYPE_CHECKING:
    from engine.oci.log import Log
    from engine.oci.options import Given


def run(root: str, given: Given, log: Log) -> int:
    """The verb."""
    start(find(root, given.arguments[0]), log)
    return 0


def start(container: Stored, log: Log) -> None:
    """Raises OciProblem. A poststart hook that fails ends the container."""
    status = container.status()
    if status == "stopped":
        raise OciProblem("cannot start a container that has stopped", code="stopped")
    if status == "paused":
        raise OciProblem("cannot start a container in the paused state", code="paused")
    if status != "created":
        raise OciProblem("cannot start an already running container", code="already-running")
    config = container.config()
    report = waiting.let_start(container.directory, START_NAME)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(f"{container.directory}/{START_NAME}")
    if report is not None:
        raise start_failed(report, config["process"]["args"][0])
    try:
        hooks.run_all(config, "poststart", {**container.shown(), "status": "running"})
    except hooks.HookFailed:
        end(container)
        raise
