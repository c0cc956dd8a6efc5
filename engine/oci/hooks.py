"""Programs that config.json names for moments in the life of a container.

Each gets the state on stdin. Source: runtime-spec config.md, "POSIX-platform Hooks".
"""

from __future__ import annotations

import json
import os
import select
import signal

from engine.kernel.process import close_on_exec_from, reset_signals
from engine.oci.errors import OciProblem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from engine.oci.log import Log

_SHOWN_BYTES = 4096


class HookFailed(OciProblem):
    """A hook that could not be run, took too long, or ended with something other than 0."""

    code = "hook"


def run_all(config: dict[str, Any], moment: str, state: dict[str, Any]) -> None:
    """Run the hooks of one moment, in order. Raises HookFailed at the first that fails.

    moment  prestart, createRuntime, createContainer, startContainer or poststart

    Nothing is imported here at run time: init runs its hooks when the root is the container's.
    """
    for number, hook in enumerate(config["hooks"].get(moment, ())):
        try:
            run(hook, json.dumps(state).encode())
        except HookFailed as error:
            raise HookFailed(f"error running {moment} hook #{number}: {error}") from None


def run_poststop(config: dict[str, Any], state: dict[str, Any], log: Log) -> None:
    """Run those of `poststop`: each, since the container is gone whatever they say."""
    for number, hook in enumerate(config["hooks"].get("poststop", ())):
        try:
            run(hook, json.dumps({**state, "status": "stopped"}).encode())
        except HookFailed as error:
            log.write_warning(f"error running poststop hook #{number}: {error}")


def run(hook: dict[str, Any], stdin: bytes) -> None:
    """Run one, within its `timeout` (seconds). Raises HookFailed.

    Its input and output are files in memory: neither can make the other wait.
    """
    input_fd, output_fd = (os.memfd_create(name) for name in ("state", "output"))
    try:
        os.write(input_fd, stdin)
        os.lseek(input_fd, 0, os.SEEK_SET)
        pid = os.fork()
        if pid == 0:
            _become(hook, input_fd, output_fd)
        timed_out = not _ends_within(pid, hook.get("timeout"))
        if timed_out:
            os.kill(pid, signal.SIGKILL)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        said = os.pread(output_fd, _SHOWN_BYTES, 0).decode(errors="replace").strip()
    finally:
        os.close(input_fd)
        os.close(output_fd)
    if timed_out:
        raise HookFailed(f"{hook['path']} ran past the timeout of {hook['timeout']}s")
    if code:
        how = f"exit status {code}" if code > 0 else f"signal {-code}"
        raise HookFailed(f"{hook['path']}: {how}, output: {said}")


def _become(hook: dict[str, Any], input_fd: int, output_fd: int) -> None:
    """In the child; never returns."""
    try:
        for target, fd in enumerate((input_fd, output_fd, output_fd)):
            os.dup2(fd, target)
        close_on_exec_from(3)
        reset_signals()
        environment = dict(entry.partition("=")[::2] for entry in hook.get("env") or ())
        os.execve(hook["path"], hook.get("args") or [hook["path"]], environment)
    except OSError as error:
        os.write(2, (error.strerror or "").encode())
    finally:
        os._exit(127)


def _ends_within(pid: int, timeout_s: float | None) -> bool:
    """False where it still runs then. None: there is no limit."""
    if timeout_s is None:
        return True
    pidfd = os.pidfd_open(pid)
    try:
        return bool(select.select([pidfd], [], [], timeout_s)[0])
    finally:
        os.close(pidfd)
