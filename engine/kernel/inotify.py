"""inotify(7): to be told of changes in a directory instead of looking again and again."""

from __future__ import annotations

import os

from engine.kernel.libc import KernelCallError, libc

IN_MODIFY = 0x2
IN_MOVED_TO = 0x80
IN_CREATE = 0x100
IN_DELETE = 0x200
IN_DELETE_SELF = 0x400
_NONBLOCK_CLOEXEC = os.O_NONBLOCK | os.O_CLOEXEC


class Watch:
    """Readable once something in one of `directories` has changed as `mask` says."""

    def __init__(self, directories: list[str], mask: int) -> None:
        self._fd: int = libc.inotify_init1(_NONBLOCK_CLOEXEC)
        if self._fd < 0:
            raise KernelCallError("inotify_init1")
        try:
            for directory in directories:
                self.add(directory, mask)
        except KernelCallError:
            self.close()
            raise

    def add(self, directory: str, mask: int) -> None:
        """Watch a further directory; one that is watched already gets this mask."""
        if libc.inotify_add_watch(self._fd, os.fsencode(directory), mask) < 0:
            raise KernelCallError("inotify_add_watch", directory=directory)

    def fileno(self) -> int:
        """For a loop."""
        return self._fd

    def drain(self) -> None:
        """Forget what has happened so far."""
        try:
            while os.read(self._fd, 65536):
                pass
        except BlockingIOError:
            return

    def close(self) -> None:
        """Stop watching."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
