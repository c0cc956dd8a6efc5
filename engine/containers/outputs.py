"""What the program of a container writes, on its way to the log."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from engine.containers.logs.writer import LogWriter, NoLog
    from engine.kernel.loop import Loop

_CHUNK_BYTES = 65536


class Outputs:
    """Our ends of one run's stdout and stderr, or of its terminal, which counts as stdout."""

    def __init__(self, loop: Loop, log: LogWriter | NoLog) -> None:
        self._loop, self._log = loop, log
        self._fds: dict[str, int] = {}

    def add(self, stream: str, fd: int) -> None:
        """Log what comes from `fd`, which is ours from now on."""
        os.set_blocking(fd, False)
        self._fds[stream] = fd
        self._loop.add_reader(fd, lambda: self._read(stream, fd))

    def drain(self) -> None:
        """Log what is left of a run that has ended, and close."""
        for stream, fd in self._fds.items():
            while self._read(stream, fd):
                pass
            self._loop.remove_reader(fd)
            os.close(fd)
        self._fds = {}
        self._log.flush()

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
        return True
