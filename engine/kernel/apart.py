"""Descriptors from where this process cannot go, and come back: made in a child, handed over."""

from __future__ import annotations

import marshal
import os
import socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_MOST_BYTES, _MOST_FDS = 4096, 253  # SCM_MAX_FD


def made_apart(make: Callable[[], Sequence[int]]) -> list[int]:
    """What `make` returns in a child of its own: close-on-exec descriptors, at most 253.

    Raises OSError as `make` does.
    """
    ours, theirs = socket.socketpair()
    child = os.fork()
    if child == 0:
        ours.close()
        _send(make, theirs)
    theirs.close()
    with ours:
        message, fds, _, _ = socket.recv_fds(ours, _MOST_BYTES, _MOST_FDS)
    os.waitpid(child, 0)
    if fds:
        return fds
    raise OSError(*marshal.loads(message) if message else ("the attempt was killed",))


def _send(make: Callable[[], Sequence[int]], report: socket.socket) -> None:
    """In the child; never returns."""
    try:
        socket.send_fds(report, [b"made"], list(make()))
    except OSError as error:
        what = (error.strerror or str(error))[: _MOST_BYTES // 4]
        report.send(marshal.dumps((what,) if error.errno is None else (error.errno, what)))
    finally:
        os._exit(0)
