"""What commands ask of a monitor over its control socket: to stop the container, to send it a
signal, to pause it, to connect it to networks, to be attached to it."""

from __future__ import annotations

import signal

# What a request must have beside `do`; what may be null may be left out, too.
_NUMBER, _NOTHING = (int, float), type(None)
_SHAPES: dict[str, dict[str, tuple[type, ...]]] = {
    "stop": {"signal": (int, _NOTHING), "grace_s": (*_NUMBER, _NOTHING)},
    "kill": {"signal": (int,)},
    "pause": {},
    "resume": {},
    "networks": {"network": (dict,), "attachments": (list,)},
    "attach": {"stdin": (bool,), "lossless": (bool,)},
}
_KILL_WAITS_S = (10.0, 2.0)  # after SIGKILL, and after it once more (engine.md A11.1)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Protocol

    from engine.containers.control import Connection
    from engine.containers.streams.attachments import Attachments
    from engine.kernel.loop import Loop, Timer

    class Monitor(Protocol):
        """What of the monitor is needed here."""

        @property
        def is_waiting(self) -> bool: ...

        @property
        def is_running(self) -> bool: ...

        def signal(self, number: int) -> bool: ...

        def state(self) -> str: ...

        def pause(self) -> str | None: ...

        def resume(self) -> bool: ...

        def change_networks(
            self, network: dict[str, Any], attachments: list[dict[str, Any]]
        ) -> str | None: ...

        def cancel_restart(self) -> None: ...


class Requests:
    """Carries them out, and remembers that the container is to stay ended."""

    def __init__(
        self,
        monitor: Monitor,
        loop: Loop,
        attachments: Attachments,
        stop_signal: int,
        stop_grace_s: float,
        *,
        any_is_final: bool,
    ) -> None:
        self._monitor, self._loop, self._attachments = monitor, loop, attachments
        self._stop_signal, self._stop_grace_s = stop_signal, stop_grace_s
        self._any_is_final = any_is_final
        self._kill_timer: Timer | None = None
        self._waiting: list[Connection] = []
        self.is_stopping = False

    def handle(self, connection: Connection, request: dict[str, Any]) -> None:
        """One request, answered now or at the end of the container; what is none by an error."""
        objection = _objection(request)
        if objection is not None:
            connection.answer(error=objection)
        elif request["do"] == "stop":
            self._waiting.append(connection)
            self.stop(request.get("signal"), request.get("grace_s"))
        elif request["do"] == "kill":
            self._kill(connection, request["signal"])
        elif request["do"] == "pause":
            connection.answer(refused=self._monitor.pause())
        elif request["do"] == "resume":
            connection.answer(resumed=self._monitor.resume())
        elif request["do"] == "networks":
            error = self._monitor.change_networks(request["network"], request["attachments"])
            connection.answer(error=error)
        else:
            self._attach(connection, request)

    def stop(self, number: int | None = None, grace_s: float | None = None) -> None:
        """The stop signal, then SIGKILL after the grace period; below zero: never."""
        self.is_stopping = True
        if self._monitor.is_waiting:
            self._monitor.cancel_restart()
            return
        self._monitor.signal(number or self._stop_signal)
        self._monitor.resume()  # what is frozen cannot act on a signal
        grace_s = self._stop_grace_s if grace_s is None else grace_s
        self._cancel_kill()
        if grace_s >= 0:
            self._kill_timer = self._loop.call_later(grace_s, self._kill_all)

    def end(self, exit_code: int | None) -> None:
        """The container has ended for good: who waits for that hears of it."""
        self._cancel_kill()
        for connection in self._waiting:
            connection.answer(exit_code=exit_code)

    def _kill(self, connection: Connection, number: int) -> None:
        """A signal that is meant to end the container ends its restarts, too: where nobody has
        said which one that is, any (engine.md A11.3)."""
        ends = number in (signal.SIGKILL, self._stop_signal)
        final = ends or self._any_is_final
        self.is_stopping = self.is_stopping or final
        if final and self._monitor.is_waiting:
            connection.answer(sent=True)
            self._monitor.cancel_restart()
        else:
            sent = self._monitor.signal(number)
            if ends:
                self._monitor.resume()
            connection.answer(sent=sent)

    def _attach(self, connection: Connection, request: dict[str, Any]) -> None:
        """From now on the connection is that of a client, up to the end of this run."""
        if self._monitor.is_running:
            self._attachments.add(connection.take_over(), request)
        else:
            connection.answer(error="not-running")

    def _kill_all(self, waits_s: tuple[float, ...] = _KILL_WAITS_S) -> None:
        """SIGKILL, and again; then who waits is told that the kernel does not end it."""
        if waits_s:
            self._monitor.signal(signal.SIGKILL)
            self._kill_timer = self._loop.call_later(
                waits_s[0], lambda: self._kill_all(waits_s[1:])
            )
            return
        waiting, self._waiting = self._waiting, []
        for connection in waiting:
            connection.answer(error=f"it was killed and has not ended: {self._monitor.state()}")

    def _cancel_kill(self) -> None:
        if self._kill_timer is not None:
            self._kill_timer.cancel()


def _objection(request: dict[str, Any]) -> str | None:
    """What is wrong with a request: a monitor must not end by what it is asked."""
    do = request["do"]
    if not isinstance(do, str) or do not in _SHAPES:
        return f"unknown request {do}"
    for key, kinds in _SHAPES[do].items():
        if not isinstance(request.get(key), kinds):
            return f"{do}: no usable {key}"
    number = request.get("signal")
    if number is not None and not 0 < number < signal.NSIG:
        return f"{do}: {number} is no signal"
    return None
