"""Our own terminal, while its keys go to a process in a container."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from typing import TYPE_CHECKING

from engine.containers.streams.keys import KeyFilter
from engine.containers.streams.relay import close_quietly, copy_in_thread, write
from engine.kernel.terminal import set_window_size, window_size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextlib.contextmanager
def raw_terminal() -> Iterator[None]:
    """Our terminal hands every key over, Ctrl-C too; put back at the end. Nothing without one."""
    import termios
    import tty

    if not sys.stdin.isatty():
        yield
        return
    before = termios.tcgetattr(0)
    tty.setraw(0, termios.TCSADRAIN)  # what has been typed already is not lost
    try:
        yield
    finally:
        with contextlib.suppress(termios.error):  # it has been closed
            termios.tcsetattr(0, termios.TCSADRAIN, before)


@contextlib.contextmanager
def same_size(master_fd: int, *, redraw: bool = False) -> Iterator[None]:
    """The process's terminal is as large as ours, now and whenever ours changes.

    redraw  for a process that is there already: it is told even if the size is what it was
    """
    if not sys.stdout.isatty():
        yield
        return

    def resize() -> None:
        with contextlib.suppress(OSError):
            set_window_size(master_fd, *window_size(1))

    if redraw:
        rows, columns = window_size(1)
        with contextlib.suppress(OSError):
            set_window_size(master_fd, rows + 1, columns + 1)
    resize()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGWINCH, resize)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGWINCH)


def type_into(master_fd: int, keys: bytes, detach: Callable[[], object]) -> None:
    """Pass on what is typed, from now on; `detach` is called in the loop after those `keys`."""
    loop, found = asyncio.get_running_loop(), KeyFilter(keys)
    fd = os.dup(master_fd)

    def take(typed: bytes) -> bool:
        text, complete = found.feed(typed)
        if complete:
            loop.call_soon_threadsafe(detach)
        return write(fd, text) and not complete

    copy_in_thread(0, take, lambda: close_quietly(fd))
