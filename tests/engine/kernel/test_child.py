"""Work done in a child: what comes back of it."""

from __future__ import annotations

import errno
import os
import signal

import pytest

from engine.kernel.child import call_in_child, open_in_child


def test_values_and_descriptors_come_back() -> None:
    assert call_in_child(lambda: {"pid": [os.getppid()]}) == {"pid": [os.getpid()]}
    fds = open_in_child(lambda: os.pipe2(os.O_CLOEXEC))
    os.write(fds[1], b"through")
    assert os.read(fds[0], 7) == b"through"
    for fd in fds:
        os.close(fd)


def test_errors_come_back_as_they_were() -> None:
    with pytest.raises(FileNotFoundError, match="No such file or directory: '/none'") as found:
        call_in_child(lambda: os.open("/none", os.O_RDONLY))
    assert (found.value.errno, found.value.filename) == (errno.ENOENT, "/none")

    def refuse() -> list[int]:
        raise OSError("only a text")

    with pytest.raises(OSError, match=r"^only a text$"):
        open_in_child(refuse)


def test_a_bug_has_the_traceback_of_the_child() -> None:
    with pytest.raises(RuntimeError, match="ZeroDivisionError") as found:
        call_in_child(lambda: 1 // 0)
    assert "1 // 0" in found.value.__notes__[0]


def test_a_child_that_is_killed_is_an_error() -> None:
    with pytest.raises(OSError, match="killed"):
        call_in_child(lambda: os.kill(os.getpid(), signal.SIGKILL))
