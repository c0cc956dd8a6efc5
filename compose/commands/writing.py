"""Where an archive goes: a file that is there when it is whole, or standard output."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from compose.commands.parsing import UsageProblem
from engine.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator


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
    target = Path(path)
    special = target.exists() and not target.is_file()
    with _opened(target) if special else _replacing(target) as file:
        yield file


@contextlib.contextmanager
def _replacing(path: Path) -> Iterator[BinaryIO]:
    """A new file beside it, which takes its place in the end."""
    half = path.with_name(f".{path.name}.{os.urandom(4).hex()}")
    with _opened(half) as file:
        try:
            yield file
            half.rename(path)
        except BaseException:
            half.unlink()
            raise


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("wb")
    except OSError as error:
        raise Problem(f"{path} cannot be written: {error.strerror}", code="output") from None
