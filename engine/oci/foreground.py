"""Staying with a process until it ends, for `run` and `exec` without --detach.

Signals go to it, and with a terminal of our own so does what is typed.
"""

from __future__ import annotations

import contextlib
import os
import signal

from engine.kernel.loop import Loop

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_KEPT = {
    *(signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD, signal.SIGPIPE),
    *(signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGABRT),
    *(signal.SIGTTIN, signal.SIGTTOU, signal.SIGTSTP),
}
_CHUNK_BYTES = 65536


class Terminal:
    """Between the terminal of a container and our own streams. take: gets its master."""

    def __init__(self) -> None:
        self.master_fd = -1

    def take(self, master_fd: int) -> None:
        """The container's terminal, as wide as ours."""
        self.master_fd = master_fd
        self.resize()

    def resize(self) -> None:
        """As wide as ours now; nothing without one."""
        from engine.kernel.terminal import set_window_size, window_size

        if self.master_fd >= 0 and os.isatty(0):
            set_window_size(self.master_fd, *window_size(0))


def hold_signals() -> None:
    """Keep those that come before `attend` for it. What is executed meanwhile has them unheld."""
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals() - _KEPT)


def attend(pid: int, terminal: Terminal | None) -> int:
    """Until the child `pid` ends: its exit code, 128 + n by signal n."""
    loop = Loop()
    pidfd = os.pidfd_open(pid)
    loop.add_reader(pidfd, loop.stop)
    with _forwarding(pid, terminal, loop), _raw(terminal):
        if terminal is not None:
            _relay(loop, terminal.master_fd)
        loop.run()
        if terminal is not None:
            _drain(terminal.master_fd)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return code if code >= 0 else 128 - code


@contextlib.contextmanager
def _forwarding(pid: int, terminal: Terminal | None, loop: Loop) -> Iterator[None]:
    """Signals arrive as bytes of a pipe: the loop wakes up for them."""

    def forward() -> None:
        for number in os.read(read_fd, _CHUNK_BYTES):
            if number == signal.SIGWINCH and terminal is not None:
                terminal.resize()
            else:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)

    read_fd, write_fd = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    for number in signal.valid_signals() - _KEPT:
        signal.signal(number, _do_nothing)
    signal.set_wakeup_fd(write_fd, warn_on_full_buffer=False)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    loop.add_reader(read_fd, forward)
    try:
        yield
    finally:
        signal.set_wakeup_fd(-1)
        os.close(read_fd)
        os.close(write_fd)


def _do_nothing(number: int, frame: object) -> None:
    """What counts is that it is noticed."""


@contextlib.contextmanager
def _raw(terminal: Terminal | None) -> Iterator[None]:
    """Our own terminal hands on every key."""
    if terminal is None or not os.isatty(0):
        yield
        return
    import termios
    import tty

    before = termios.tcgetattr(0)
    tty.setraw(0, termios.TCSADRAIN)  # what has been typed by now is for the container
    try:
        yield
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, before)


def _relay(loop: Loop, master_fd: int) -> None:
    def copy(source_fd: int, target_fd: int) -> None:
        if not _copy(source_fd, target_fd):
            loop.remove_reader(source_fd)

    loop.add_reader(master_fd, lambda: copy(master_fd, 1))
    with contextlib.suppress(PermissionError):  # a plain file cannot be waited for
        loop.add_reader(0, lambda: copy(0, master_fd))


def _copy(source_fd: int, target_fd: int) -> bool:
    """False at the end of it."""
    try:
        chunk = os.read(source_fd, _CHUNK_BYTES)
    except OSError:  # EIO: the last process has let go of the terminal
        return False
    while chunk:
        written = os.write(target_fd, chunk)
        chunk = chunk[written:]
        if not chunk:
            return True
    return False


def _drain(master_fd: int) -> None:
    os.set_blocking(master_fd, False)
    while _copy(master_fd, 1):
        pass
