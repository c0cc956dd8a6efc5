"""What a monitor tells of its container: state.json for all, last.json for later, and the outcome
of the first start for the command that waits for it."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import time

from engine.containers import statefile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

COULD_NOT_START = 128


class Reply:
    """The way back to the command that waits for a start: it hears of it once."""

    def __init__(self, peer_fd: int) -> None:
        self._peer = socket.socket(fileno=peer_fd)
        self._peer.set_inheritable(False)

    def send(self, **outcome: object) -> None:
        """Tell and hang up; the command may have been killed, or have heard before."""
        with contextlib.suppress(OSError):
            self._peer.send(json.dumps(outcome).encode())
        self.close()

    def close(self) -> None:
        """Hang up; may be repeated."""
        self._peer.close()


class Report:
    """The state of one container as its monitor knows it. Changes are seen once written.

    ours   the `buoy` section of the launch record
    reply  the command hears by it of the first start: pid=..., or code=..., what=...
    """

    def __init__(self, run_directory: str, ours: dict[str, Any], reply: Reply) -> None:
        self._run_directory, self._durable = run_directory, ours["directory"]
        self._reply = reply
        self._state: dict[str, Any] = {
            "status": "created",
            "monitor": os.getpid(),
            "command": ours["argv"],
            "attachments": ours["attachments"],
            "exposed": ours["exposed"],
            "health": None,
            "boot_id": ours.get("boot_id"),
        }

    @property
    def exit_code(self) -> int | None:
        """Of the run that has ended last."""
        code: int | None = self._state.get("exit_code")
        return code

    @property
    def status(self) -> str:
        """As it was told last."""
        return str(self._state["status"])

    @property
    def is_ours(self) -> bool:
        """Whether this process is the monitor, not a child of it."""
        return bool(os.getpid() == self._state["monitor"])

    def note(self, **facts: object) -> None:
        """Keep what is to be seen with the next change."""
        self._state.update(facts)

    def running(
        self, target: dict[str, Any], health: dict[str, Any] | None, restart_count: int
    ) -> None:
        """The program of the image has been executed.

        Told by a child: what its writing touches is no memory of the monitor's.
        """
        self._state.update(
            status="running",
            pid=target["pid"],
            target=target,
            started_at=time.time(),
            exit_code=None,
            error=None,
            finished_at=None,
            oom_killed=False,
            restart_count=restart_count,
            health=health,
        )
        child = os.fork()
        if child == 0:
            try:
                self.write()
                self._reply.send(pid=target["pid"])
            finally:
                os._exit(0)
        os.waitpid(child, 0)
        self._reply.close()

    def health(self, found: dict[str, Any]) -> None:
        """A probe has been made: status, failing_streak, log."""
        self._state["health"] = found
        self.write()

    def paused(self) -> None:
        """It has been frozen."""
        self._state["status"] = "paused"
        self.write()

    def resumed(self) -> None:
        """It runs again."""
        self._state["status"] = "running"
        self.write()

    def changed(self, **facts: object) -> None:
        """Keep what is to be seen now."""
        self.note(**facts)
        self.write()

    def oom_killed(self) -> None:
        """A process of it has been killed for want of memory; init may be alive."""
        self._state["oom_killed"] = True
        self.write()

    def ended(self, exit_code: int, *, oom_killed: bool) -> None:
        """Init has ended; what follows from it is told next."""
        self._state.update(
            pid=None,
            target=None,
            exit_code=exit_code,
            finished_at=time.time(),
            oom_killed=oom_killed,
            health=None,
        )

    def restarting(self, restart_count: int) -> None:
        """It is about to be started again, by its policy."""
        self._state.update(
            status="restarting",
            restart_count=restart_count,
            previous_exit_code=self.exit_code,
        )
        self.write()

    def given_up(self, error: dict[str, Any]) -> None:
        """It could not be started: back to `created`, or `exited` after a restart."""
        self._state.update(
            status="exited" if "started_at" in self._state else "created",
            error=error["what"],
            exit_code=error.get("exit_code", COULD_NOT_START),
        )

    def final(self, cleanup_failures: list[str]) -> None:
        """The last word, which outlives a power cut. A container that never ran stays `created`."""
        never_ran = "started_at" not in self._state
        self._state.update(status="created" if never_ran else "exited", pid=None, target=None)
        if cleanup_failures:
            self._state["cleanup"] = cleanup_failures
        try:
            name = statefile.LAST_STATE_NAME
            statefile.write_json(self._durable, name, self._state, durable=True)
            self.write()
        except FileNotFoundError:
            return  # removed by force meanwhile

    def write(self) -> None:
        """Let others see it."""
        statefile.write_json(self._run_directory, statefile.STATE_NAME, self._state)

    def answer(self, **outcome: object) -> None:
        """Tell the command that waits for the start why there is none."""
        self._reply.send(**outcome)

    def fail(self, error: BaseException) -> None:
        """Leave word of a bug. The state stays that of a container whose monitor is gone: who
        finds it so cleans up."""
        from engine.containers.failure import note_failure

        self._state["error"] = what = note_failure(self._durable, error)
        with contextlib.suppress(OSError):
            self.write()
        self._reply.send(code="monitor", what=what)
