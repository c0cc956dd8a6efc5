"""ADD of archives that zstd has compressed: decompressed for the copying process.

That has the standard library alone, which reads gzip, bzip2 and xz, and zstd from Python 3.14 on.
"""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from typing import TYPE_CHECKING

from engine.build.copying import CopyFailed
from engine.build.tree import find_source
from engine.errors import ImageProblem
from engine.images.decompress import decompressed, is_zstd
from engine.kernel.openat2 import open_beneath

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import BinaryIO

    from engine.build.context import Context

_PIECE_BYTES = 1 << 20
_MAGIC_BYTES = 4


@contextlib.contextmanager
def decompressed_sources(
    context: Context, sources: Sequence[str], temporary: str
) -> Iterator[dict[str, str]]:
    """Those files among the sources that are compressed: path in the context -> a file, below
    `temporary`, of what is in it. Raises NotFoundInRoot, CopyFailed."""
    root = os.open(context.directory, os.O_PATH | os.O_DIRECTORY)
    try:
        with tempfile.TemporaryDirectory(prefix="zstd-", dir=temporary) as directory:
            found: dict[str, str] = {}
            for path in _files(root, context, sources):
                with _open(root, path) as file:
                    if is_zstd(file.read(_MAGIC_BYTES)):
                        file.seek(0)
                        found[path] = f"{directory}/{len(found)}"
                        _decompress(file, path, found[path])
            yield found
    finally:
        os.close(root)


def _files(root: int, context: Context, sources: Sequence[str]) -> Iterator[str]:
    for source in sources:
        for found in find_source(root, source, context.ignore):
            if stat.S_ISREG(found.info.st_mode):
                yield found.path


def _open(root: int, path: str) -> BinaryIO:
    return os.fdopen(open_beneath(root, os.fsencode(path), os.O_RDONLY | os.O_NOFOLLOW), "rb")


def _decompress(file: BinaryIO, path: str, target: str) -> None:
    try:
        with open(target, "wb") as content:
            for piece in decompressed(iter(lambda: file.read(_PIECE_BYTES), b"")):
                content.write(piece)
    except ImageProblem as problem:
        raise CopyFailed(f"{path}: {problem.what}") from None
