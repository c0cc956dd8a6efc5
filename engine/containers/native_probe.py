"""Health probes that the monitor makes itself: no process, nothing of the image's is run.

They look at the container from where its own processes are: at its network by sockets made in its
namespace, at its files below its root, at its log as it is written.
"""

from __future__ import annotations

import errno
import os
import re
import socket

from engine.containers.health import TIMED_OUT, timeout_text
from engine.kernel.namespaces import socket_in
from engine.kernel.openat2 import open_in_root

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from engine.containers.health import Done
    from engine.containers.streams.outputs import Outputs
    from engine.kernel.loop import Loop

_FAILED = 1
_ANSWER_BYTES = 4096  # of which the first line counts
_LOWEST_FAILURE = 400  # a status from there on: not ready


class NativeProber:
    """Makes probes of one kind.

    check    test: ("TCP", address, port), ("HTTP", address, port, path), ("FILE", path) or
             ("LOG", regular expression); timeout_s
    pid      of init
    outputs  of the run
    """

    def __init__(self, loop: Loop, check: dict[str, Any], pid: int, outputs: Outputs) -> None:
        self._loop, self._pid, self._outputs = loop, pid, outputs
        kind, *self._arguments = check["test"]
        self._timeout_s = check["timeout_s"]
        self.begin: Callable[[Done], Answer | Conversation | LineWatch] = {
            "TCP": self._connect,
            "HTTP": self._ask,
            "FILE": self._look,
            "LOG": self._listen,
        }[kind]
        if kind == "LOG":
            outputs.watch(re.compile(self._arguments[0]))

    def close(self) -> None:
        """Nothing is kept open between probes."""

    def _connect(self, done: Done) -> Answer | Conversation:
        return self._converse(done, b"")

    def _ask(self, done: Done) -> Answer | Conversation:
        address, port, path = self._arguments
        host = f"[{address}]" if ":" in address else address
        request = f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nUser-Agent: buoy-probe\r\n"
        return self._converse(done, f"{request}Accept: */*\r\nConnection: close\r\n\r\n".encode())

    def _converse(self, done: Done, request: bytes) -> Answer | Conversation:
        address, port = self._arguments[:2]
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        try:
            netns_fd = os.open(f"/proc/{self._pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
            try:
                opened = socket_in(netns_fd, family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
            finally:
                os.close(netns_fd)
            code = opened.connect_ex((address, int(port)))
        except OSError as error:
            return Answer(self._loop, done, _FAILED, str(error))
        if code not in (0, errno.EINPROGRESS):
            opened.close()
            return Answer(self._loop, done, _FAILED, _refusal(code))
        return Conversation(self._loop, done, opened, request, self._timeout_s)

    def _look(self, done: Done) -> Answer:
        path = self._arguments[0]
        try:
            root_fd = os.open(f"/proc/{self._pid}/root", os.O_PATH | os.O_CLOEXEC)
            try:
                os.close(open_in_root(root_fd, path.encode(), os.O_PATH))
            finally:
                os.close(root_fd)
        except OSError as error:
            return Answer(self._loop, done, _FAILED, f"{path}: {_reason(error.errno or 0)}")
        return Answer(self._loop, done, 0, f"{path} is there")

    def _listen(self, done: Done) -> LineWatch:
        return LineWatch(self._loop, done, self._outputs, self._timeout_s)


class Answer:
    """A result that is there at once, told on the loop's next turn."""

    def __init__(self, loop: Loop, done: Done, code: int, text: str) -> None:
        self._timer = loop.call_later(0.0, lambda: done(code, text))

    def cancel(self) -> None:
        """Not to be told any more."""
        self._timer.cancel()


class LineWatch:
    """Waits for the line to be written, as long as a probe may take: ready the moment it is."""

    def __init__(self, loop: Loop, done: Done, outputs: Outputs, timeout_s: float) -> None:
        self._done, self._outputs, self._timeout_s = done, outputs, timeout_s
        self._timer = loop.call_later(0.0 if outputs.found else timeout_s, self._end)
        outputs.on_found = self._end

    def cancel(self) -> None:
        """As of a Probe."""
        self._timer.cancel()
        self._outputs.on_found = None

    def _end(self) -> None:
        self.cancel()
        if self._outputs.found is None:
            self._done(_FAILED, f"no such line in its log within {self._timeout_s:g}s")
        else:
            self._done(0, self._outputs.found)


class Conversation:
    """A connection on its way, then a request and the first line of its answer, if there is one."""

    def __init__(
        self, loop: Loop, done: Done, opened: socket.socket, request: bytes, timeout_s: float
    ) -> None:
        self._loop, self._done, self._socket = loop, done, opened
        self._request, self._timeout_s = request, timeout_s
        self._answer = b""
        self._timer = loop.call_later(timeout_s, self._expire)
        loop.add_writer(opened.fileno(), self._connected)

    def cancel(self) -> None:
        """As of a Probe."""
        self._timer.cancel()
        self._loop.remove_writer(self._socket.fileno())
        self._loop.remove_reader(self._socket.fileno())
        self._socket.close()

    def _end(self, code: int, text: str) -> None:
        self.cancel()
        self._done(code, text)

    def _expire(self) -> None:
        self._end(TIMED_OUT, timeout_text(self._timeout_s))

    def _connected(self) -> None:
        self._loop.remove_writer(self._socket.fileno())
        code = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code or not self._request:
            self._end(_FAILED if code else 0, _refusal(code) if code else "connected")
            return
        try:
            self._socket.send(self._request)  # less than any socket buffer
        except OSError as error:
            self._end(_FAILED, _refusal(error.errno or 0))
            return
        self._loop.add_reader(self._socket.fileno(), self._read)

    def _read(self) -> None:
        try:
            chunk = self._socket.recv(_ANSWER_BYTES)
        except BlockingIOError:
            return
        except OSError as error:
            self._end(_FAILED, _refusal(error.errno or 0))
            return
        self._answer += chunk
        line, newline, _ = self._answer.partition(b"\n")
        if newline or not chunk or len(self._answer) >= _ANSWER_BYTES:
            text = line[:200].decode("ascii", "replace").rstrip("\r")
            self._end(_verdict(line), text or "no answer")


def _verdict(line: bytes) -> int:
    """0 for a status line that says ready: `HTTP/1.1 204 No Content`."""
    version, _, rest = line.partition(b" ")
    status = rest[:3]
    is_http = version.startswith(b"HTTP/1.") and status.isdigit()
    return 0 if is_http and int(status) < _LOWEST_FAILURE else _FAILED


def _refusal(code: int) -> str:
    return f"cannot connect: {_reason(code)}"


def _reason(code: int) -> str:
    return os.strerror(code).lower()
