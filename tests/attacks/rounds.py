"""Attempts against somebody who changes things meanwhile: some of them have to succeed."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sized

MOST = 200


def rounds(count: int, succeeded: Sized) -> Iterator[int]:
    """Numbers from 0: `count` of them, and then more until there is something in `succeeded`."""
    for number in range(MOST):
        if number >= count and succeeded:
            return
        yield number
    assert succeeded
