"""Executing this command again, as what a container may see of it (engine.kernel.interpreter)."""

from __future__ import annotations

import os

from engine.kernel import interpreter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn

_PROGRAM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "__main__.py")


def execute_again(words: Sequence[str]) -> NoReturn:
    """The same process, descriptors and environment; light, and from a read-only mount."""
    program = interpreter.path()
    with interpreter.read_only(program) as path:
        os.execve(path, [program, *interpreter.OPTIONS, _PROGRAM, *words], os.environ)
