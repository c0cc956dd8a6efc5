"""Directories of the cache, which appear whole or not at all."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def made_whole(directory: str) -> Iterator[str]:
    """An empty directory to fill, which becomes `directory` at the end of the with-block; where
    somebody else was quicker, theirs stays."""
    import shutil
    import tempfile

    parent = os.path.dirname(directory)  # noqa: PTH120 - pathlib costs 17 ms
    os.makedirs(parent, mode=0o700, exist_ok=True)  # noqa: PTH103
    new = tempfile.mkdtemp(dir=parent)
    try:
        yield new
        os.rename(new, directory)  # noqa: PTH104
    except OSError:
        if not os.path.isdir(directory):  # noqa: PTH112
            raise
    finally:
        shutil.rmtree(new, ignore_errors=True)
