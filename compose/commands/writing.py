"""Where a result goes: a file that is there when it is whole, or standard output."""

from __future__ import annotations

import contextlib
import os
import sys

from compose.commands.parsing import UsageProblem
from engine.errors import Problem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

    from compose.commands.context import Context


def put(context: Context, path: str | None, text: str) -> None:
    """A text into a file, or where there is no `path` to standard output."""
    if not path:
        context.console.out(text.rstrip("\n"))
        return
    with _naming_the_disk(path), _opened(path) as file:
        file.write(text.encode())


@contextlib.contextmanager
def output(path: str) -> Iterator[BinaryIO]:
    """The file to write; `-` is standard output, which must not be a terminal.

    Something else than a regular file, such as a pipe, is written to as it is.
    """
    if path == "-":
        if sys.stdout.isatty():
            raise UsageProblem("standard output is a terminal", hint="name a file with -o")
        yield sys.stdout.buffer
        return
    special = os.path.exists(path) and not os.path.isfile(path)
    with _naming_the_disk(path), _opened(path) if special else _replacing(path) as file:
        yield file


@contextlib.contextmanager
def _replacing(path: str) -> Iterator[BinaryIO]:
    """A new file beside it, which takes its place in the end."""
    directory, name = os.path.split(path)
    half = os.path.join(directory, f".{name}.{os.urandom(4).hex()}")
    file = _opened(half, shown=path)
    try:
        with file:
            yield file
        os.rename(half, path)  # what was buffered is written by now
    except BaseException:
        os.unlink(half)
        raise


@contextlib.contextmanager
def _naming_the_disk(path: str) -> Iterator[None]:
    """Which is not always that of the engine."""
    try:
        yield
    except OSError as error:
        from engine import with_disk_problems

        told = with_disk_problems(error, path)
        if told is error:
            raise
        raise told from None


def _opened(path: str, shown: str = "") -> BinaryIO:
    try:
        return open(path, "wb")
    except OSError as error:
        what = f"{shown or path} cannot be written: {error.strerror}"
        raise Problem(what, code="output") from None
