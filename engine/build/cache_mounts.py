"""The directories of RUN --mount=type=cache (engine.md D6.12, E14)."""

from __future__ import annotations

import contextlib
import hashlib
import os
from typing import TYPE_CHECKING

from engine.state.locks import locked, locked_if_free

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.build.mounts import RunMount


@contextlib.contextmanager
def claimed(directory: str, mount: RunMount, namespace: str) -> Iterator[str]:
    """The path of a cache mount's directory, held as its `sharing` says; waits where it must. The
    first who claims it makes it.

    directory  where all of them are, and their locks
    namespace  ids of different ones are different
    """
    os.makedirs(directory, mode=0o700, exist_ok=True)
    name = f"{namespace}/{mount.id}" if namespace else mount.id
    # a digest, for it is the Dockerfile's: never a path
    path = os.path.join(directory, hashlib.sha256(name.encode()).hexdigest()[:32])
    if mount.sharing == "locked":
        with locked(f"{path}.lock"):
            yield path
    elif mount.sharing == "private":
        with _free(path) as own:
            yield own
    else:
        yield path


@contextlib.contextmanager
def _free(path: str) -> Iterator[str]:
    number = 0
    while True:
        candidate = f"{path}-{number}" if number else path
        with locked_if_free(f"{candidate}.lock") as free:
            if free:
                yield candidate
                return
        number += 1


def ensure_directory(path: str, mount: RunMount) -> None:
    """An empty one, as the mount says. Its time is that of its last use, which pruning goes by."""
    try:
        os.mkdir(path)
    except FileExistsError:
        os.utime(path)
        return
    os.chown(path, mount.uid, mount.gid)
    os.chmod(path, mount.mode)


def ensure_seeded(path: str, seed: str) -> None:
    """Make it of the directory `seed`, which is on the same filesystem."""
    with contextlib.suppress(OSError):  # somebody else was quicker
        os.rename(seed, path)
