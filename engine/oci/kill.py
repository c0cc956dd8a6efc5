"""`kill`, `pause` and `resume`."""

from __future__ import annotations

import contextlib
import os
import signal

from engine.cgroups.freezer import set_frozen
from engine.containers.signals import signal_number
from engine.oci.cgroup import cgroup_of
from engine.oci.errors import OciProblem
from engine.oci.store import Stored, find

TYPE_CHECKING = False
if TYPE_CHECKING:
    from engine.oci.log import Log
    from engine.oci.options import Given


def run(root: str, given: Given, log: Log) -> int:
    """`kill ID [SIGNAL]`."""
    container = find(root, given.arguments[0])
    word = given.arguments[1] if len(given.arguments) > 1 else "SIGTERM"
    number = 0 if word == "0" else signal_number(word)  # 0: is it there? (kill(2))
    if given.flag("all"):
        _send_to_all(container, number)
        return 0
    pidfd = container.open_pidfd()
    if pidfd is None:
        raise _not_running()
    try:
        signal.pidfd_send_signal(pidfd, number)
    except ProcessLookupError:
        raise _not_running() from None
    finally:
        os.close(pidfd)
    return 0


def run_pause(root: str, given: Given, log: Log) -> int:
    """`pause`."""
    return _set_frozen(find(root, given.arguments[0]), frozen=True)


def run_resume(root: str, given: Given, log: Log) -> int:
    """`resume`."""
    return _set_frozen(find(root, given.arguments[0]), frozen=False)


def _send_to_all(container: Stored, number: int) -> None:
    """Also to those that the end of the first process has left, in a pid namespace of others."""
    for pid in cgroup_of(container.config()).processes():
        with contextlib.suppress(ProcessLookupError):  # it has just ended
            os.kill(pid, number)


def _set_frozen(container: Stored, *, frozen: bool) -> int:
    status = container.status()
    wanted = ("running", "created") if frozen else ("paused",)
    if status not in wanted:
        raise OciProblem("container not running" if frozen else "container not paused")
    if not set_frozen(container.state["cgroups"], frozen=frozen):
        raise OciProblem("there is no freezer here: the container cannot be paused")
    return 0


def _not_running() -> OciProblem:
    return OciProblem("container not running", code="not-running")
