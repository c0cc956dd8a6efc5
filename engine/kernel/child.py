"""Work done in a child process: the memory it touches, and where it goes, are the child's."""

from __future__ import annotations

import marshal
import os
import socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, NoReturn, TypeVar

    Value = TypeVar("Value")

_MOST_BYTES, _MOST_FDS = 1 << 16, 253  # SCM_MAX_FD


def call_in_child(work: Callable[[], Value]) -> Value:
    """What `work` returns, done by a fork of this process: a value of marshal's, at most 64 KiB.

    What the work has forked becomes the child of the nearest subreaper above. Raises OSError where
    the work raised one, or was killed; RuntimeError, with the traceback in its notes, for anything
    else. The caller has one thread.
    """
    value: Value = _done(lambda: (work(), ()))[0]
    return value


def open_in_child(work: Callable[[], Sequence[int]]) -> list[int]:
    """The same of descriptors, at most 253, from where this process cannot go, and come back."""
    return _done(lambda: (None, work()))[1]


def _done(work: Callable[[], tuple[Any, Sequence[int]]]) -> tuple[Any, list[int]]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    child = os.fork()
    if child == 0:
        ours.close()
        _answer(work, theirs)
    theirs.close()
    with ours:  # one packet, not up to the end: what the work has forked has the socket, too
        packet, fds, _, _ = socket.recv_fds(ours, _MOST_BYTES, _MOST_FDS)
    os.waitpid(child, 0)
    if not packet:
        raise OSError("the child was killed")
    kind, value = marshal.loads(packet)
    if kind == "error":
        raise OSError(*value)
    if kind == "bug":
        what, traceback = value
        bug = RuntimeError(what)
        bug.add_note(traceback)
        raise bug
    return value, fds


def _answer(work: Callable[[], tuple[Any, Sequence[int]]], report: socket.socket) -> NoReturn:
    """In the child."""
    try:
        kind, value, fds = _outcome(work)
        socket.send_fds(report, [marshal.dumps((kind, value))], list(fds))
    finally:
        os._exit(0)


def _outcome(work: Callable[[], tuple[Any, Sequence[int]]]) -> tuple[str, Any, Sequence[int]]:
    try:
        return ("value", *work())
    except OSError as error:
        return "error", _parts(error), ()
    except BaseException as error:  # noqa: BLE001 - raised again by the caller
        import traceback

        what = f"{type(error).__name__}: {error}"
        return "bug", (what, "".join(traceback.format_exception(error))), ()


def _parts(error: OSError) -> tuple[Any, ...]:
    """What an OSError like it is made of; a file may be named by a descriptor."""
    if error.errno is None:
        return (str(error),)
    name = error.filename
    if name is None or isinstance(name, int):
        return error.errno, error.strerror, name
    return error.errno, error.strerror, os.fsdecode(name)
