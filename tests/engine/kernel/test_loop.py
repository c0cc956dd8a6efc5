"""The epoll loop of the small processes."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from engine.kernel.inotify import IN_CREATE, IN_MOVED_TO, Watch
from engine.kernel.loop import Loop

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def loop() -> Iterator[Loop]:
    loop = Loop()
    yield loop
    loop.close()


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    read_fd, write_fd = os.pipe2(os.O_NONBLOCK)
    yield read_fd, write_fd
    for fd in (read_fd, write_fd):
        try:
            os.close(fd)
        except OSError:
            continue


def test_a_reader_is_called_when_there_is_something(loop: Loop, pipe: tuple[int, int]) -> None:
    seen: list[bytes] = []
    loop.add_reader(pipe[0], lambda: seen.append(os.read(pipe[0], 9)))
    loop.run_once(0)
    assert seen == []
    os.write(pipe[1], b"x")
    loop.run_once(1)
    assert seen == [b"x"]


def test_a_reader_is_told_of_the_other_ends_end(loop: Loop, pipe: tuple[int, int]) -> None:
    seen: list[bytes] = []
    loop.add_reader(pipe[0], lambda: seen.append(os.read(pipe[0], 9)))
    os.close(pipe[1])
    loop.run_once(1)
    assert seen == [b""]


def test_a_removed_reader_is_not_called_even_in_the_same_round(loop: Loop) -> None:
    pipes = [os.pipe() for _ in range(2)]
    seen: list[int] = []

    def first_come(own: int, other: int) -> None:
        seen.append(own)
        loop.remove_reader(other)

    loop.add_reader(pipes[0][0], lambda: first_come(pipes[0][0], pipes[1][0]))
    loop.add_reader(pipes[1][0], lambda: first_come(pipes[1][0], pipes[0][0]))
    for _, write_fd in pipes:
        os.write(write_fd, b"x")
    loop.run_once(1)
    assert len(seen) == 1
    for pair in pipes:
        for fd in pair:
            os.close(fd)


def test_removing_what_is_not_watched_is_accepted(loop: Loop, pipe: tuple[int, int]) -> None:
    loop.remove_reader(pipe[0])
    loop.remove_writer(pipe[1])


def test_reading_and_writing_are_watched_apart(loop: Loop) -> None:
    import socket

    seen: list[str] = []
    one, two = socket.socketpair()
    with one, two:
        loop.add_reader(one.fileno(), lambda: seen.append("read"))
        loop.add_writer(one.fileno(), lambda: seen.append("write"))
        loop.run_once(1)
        assert seen == ["write"]
        two.send(b"x")
        loop.run_once(1)
        assert seen == ["write", "read", "write"]
        loop.remove_writer(one.fileno())
        loop.run_once(1)
        assert seen == ["write", "read", "write", "read"]
        loop.remove_reader(one.fileno())


def test_timers_come_in_order_and_not_too_early(loop: Loop) -> None:
    seen: list[str] = []
    before = time.monotonic()
    loop.call_later(0.03, lambda: seen.append("late"))
    loop.call_later(0.01, lambda: seen.append("soon"))
    loop.call_later(0.06, loop.stop)
    loop.run()
    assert seen == ["soon", "late"]
    assert time.monotonic() - before >= 0.06


def test_a_cancelled_timer_does_not_come(loop: Loop) -> None:
    seen: list[str] = []
    timer = loop.call_later(0.01, lambda: seen.append("cancelled"))
    timer.cancel()
    timer.cancel()
    loop.call_later(0.03, loop.stop)
    loop.run()
    assert seen == []


def test_a_timer_may_cancel_another_that_is_due_too(loop: Loop) -> None:
    seen: list[str] = []
    other = loop.call_later(0.001, lambda: seen.append("other"))
    loop.call_later(0.0, other.cancel)
    time.sleep(0.01)
    loop.run_once(0)
    assert seen == []


def test_it_waits_no_longer_than_asked(loop: Loop) -> None:
    loop.call_later(60, loop.stop)
    before = time.monotonic()
    loop.run_once(0.02)
    assert time.monotonic() - before < 60


def test_a_directory_that_changes_is_readable(loop: Loop, tmp_path: Path) -> None:
    watch = Watch([str(tmp_path)], IN_CREATE | IN_MOVED_TO)
    seen: list[str] = []

    def changed() -> None:
        seen.append("changed")
        watch.drain()

    loop.add_reader(watch.fileno(), changed)
    loop.run_once(0)
    assert seen == []
    (tmp_path / "file").touch()
    loop.run_once(1)
    loop.run_once(0)
    assert seen == ["changed"]
    loop.remove_reader(watch.fileno())
    watch.close()
    watch.close()


def test_watching_what_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="inotify_add_watch"):
        Watch([str(tmp_path / "none")], IN_CREATE)
