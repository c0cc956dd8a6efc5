"""What the program of a container writes, on its way to the log and to whoever is attached."""

from __future__ import annotations

import functools
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    import re
    from collections.abc import Callable

    from engine.containers.logs.writer import LogWriter, NoLog
    from engine.containers.streams.attachments import Attachments
    from engine.kernel.loop import Loop

_CHUNK_BYTES = 65536
_LINE_BYTES = 16 * 1024  # of a longer one, the end is searched
_LEFT_CHUNKS = 64  # of a stream at its end: a pipe holds 1 MiB at most, unless root made it larger


class Outputs:
    """Our ends of one run's stdout and stderr, or of its terminal, which counts as stdout."""

    def __init__(self, loop: Loop, log: LogWriter | NoLog, attachments: Attachments) -> None:
        self._loop, self._log, self._attachments = loop, log, attachments
        self._fds: dict[str, int] = {}
        self._wanted: re.Pattern[str] | None = None
        self._unfinished: dict[str, bytes] = {}
        self.found: str | None = None
        self.on_found: Callable[[], object] | None = None
        attachments.has_room = self._watch

    def watch(self, wanted: re.Pattern[str]) -> None:
        """The first line that `wanted` is in becomes `found`, and `on_found` is called."""
        self._wanted = wanted

    def add(self, stream: str, fd: int) -> None:
        """Log what comes from `fd`, which is ours from now on."""
        os.set_blocking(fd, False)
        self._fds[stream] = fd
        self._watch()

    def drain(self) -> None:
        """Log what is left of a run that has ended, and close.

        Somebody outside of the container may still hold the other end: there is an end to it.
        """
        for stream, fd in self._fds.items():
            for _ in range(_LEFT_CHUNKS):
                if not self._read(stream, fd):
                    break
            self._loop.remove_reader(fd)
            os.close(fd)
        self._fds = {}
        self._log.flush()

    def _watch(self) -> None:
        for stream, fd in self._fds.items():
            self._loop.add_reader(fd, functools.partial(self._read, stream, fd))

    def _pause(self) -> None:
        """Who is attached is to get everything, and cannot take more now: the program waits."""
        for fd in self._fds.values():
            self._loop.remove_reader(fd)

    def _read(self, stream: str, fd: int) -> bool:
        """Log what there is; False at the end of the stream."""
        try:
            chunk = os.read(fd, _CHUNK_BYTES)
        except BlockingIOError:
            return False
        except OSError:  # EIO: the last process has let go of the terminal
            chunk = b""
        if not chunk:
            self._loop.remove_reader(fd)
            return False
        self._log.write(stream, chunk)
        if self._wanted is not None:
            self._search(stream, chunk, self._wanted)
        if not self._attachments.send(stream, chunk):
            self._pause()
        return True

    def _search(self, stream: str, chunk: bytes, wanted: re.Pattern[str]) -> None:
        """In what there is of a line, too: a prompt has no end."""
        *lines, rest = (self._unfinished.get(stream, b"") + chunk).split(b"\n")
        self._unfinished[stream] = rest[-_LINE_BYTES:]
        for line in (*lines, rest):
            text = line[-_LINE_BYTES:].decode("utf-8", "replace")
            if wanted.search(text):
                self.found, self._wanted, self._unfinished = text, None, {}
                if self.on_found is not None:
                    self.on_found()
                return
