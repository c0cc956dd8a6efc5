"""`delete`: nothing of a stopped container stays."""

from __future__ import annotations

import contextlib
import os
import select
import signal

from engine.cgroups.freezer import set_frozen
from engine.oci import hooks
from engine.oci.cgroup import cgroup_of
from engine.oci.errors import NotFound, OciProblem
from engine.oci.store import Stored, find, remove_directory, remove_leftover

TYPE_CHECKING = False
if TYPE_CHECKING:
    from engine.oci.log import Log
    from engine.oci.options import Given

_PATIENCE_S = 10.0  # for a process that is being killed to end


def run(root: str, given: Given, log: Log) -> int:
    """The verb. With --force absence is accepted."""
    for container_id in given.arguments:
        try:
            container = find(root, container_id)
        except NotFound:
            if not remove_leftover(root, container_id) and not given.flag("force"):
                raise
            continue
        status = container.status()
        if status not in ("created", "stopped") and not given.flag("force"):
            raise OciProblem(
                f"cannot delete container {container_id} that is not stopped: {status}",
                code="not-stopped",
            )
        delete(container, log)
    return 0


def delete(container: Stored, log: Log) -> None:
    """Kill what runs of it, and remove it. Raises OciProblem where it cannot be."""
    config = container.config()
    end(container)
    cgroup = cgroup_of(config)
    try:
        cgroup.remove()
    except OSError as error:
        raise OciProblem(f"unable to remove the container's cgroup: {error}") from None
    remove_directory(container.directory)
    hooks.run_poststop(config, {**container.shown(), "pid": 0}, log)


def end(container: Stored) -> None:
    """SIGKILL for all of its processes, and wait for the first one's end."""
    cgroup = cgroup_of(container.config())
    pidfd = container.open_pidfd()
    with contextlib.suppress(FileNotFoundError):
        cgroup.kill()
        set_frozen(cgroup.directories, frozen=False)
    if pidfd is None:
        return
    with contextlib.suppress(ProcessLookupError):
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    select.select([pidfd], [], [], _PATIENCE_S)
    os.close(pidfd)
