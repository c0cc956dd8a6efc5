"""Work done in a child process, so that the memory it touches is given back with it."""

from __future__ import annotations

import marshal
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    Value = TypeVar("Value")

_CHUNK_BYTES = 1 << 16


def call_in_child(work: Callable[[], Value]) -> Value:
    """What `work` returns, done by a fork of this process. The value must be one of marshal's.

    Raises an OSError that says the same where the work raised one; RuntimeError, with the
    traceback in its notes, for anything else, and for a child that was killed. The caller has one
    thread.
    """
    read_fd, write_fd = os.pipe2(os.O_CLOEXEC)
    child = os.fork()
    if child == 0:
        _answer(work, write_fd)
    os.close(write_fd)
    packed = b""
    while chunk := os.read(read_fd, _CHUNK_BYTES):
        packed += chunk
    os.close(read_fd)
    os.waitpid(child, 0)
    if not packed:
        raise RuntimeError("the child was killed")
    kind, value = marshal.loads(packed)
    if kind == "error":
        raise OSError(*value)
    if kind == "bug":
        what, traceback = value
        bug = RuntimeError(what)
        bug.add_note(traceback)
        raise bug
    found: Value = value
    return found


def _answer(work: Callable[[], object], write_fd: int) -> None:
    """In the child; never returns."""
    try:
        packed = marshal.dumps(_outcome(work))
        while packed:
            packed = packed[os.write(write_fd, packed) :]
    finally:
        os._exit(0)


def _outcome(work: Callable[[], Any]) -> tuple[str, Any]:
    try:
        return "value", work()
    except OSError as error:
        if error.errno is None:
            return "error", (str(error),)
        return "error", (error.errno, error.strerror, error.filename)
    except BaseException as error:  # noqa: BLE001 - raised again by the caller
        import traceback

        what = f"{type(error).__name__}: {error}"
        return "bug", (what, "".join(traceback.format_exception(error)))
