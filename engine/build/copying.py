"""Runs the confined process that copies files into images, and measures files in them."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import os
import tempfile
from typing import TYPE_CHECKING

from engine.kernel.interpreter import command_line
from engine.kernel.record import Record
from engine.kernel.removal import remove_tree
from engine.state.space import full

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any


class CopyFailed(Exception):
    """What the process could not do, in words for the user."""


class SourceMissing(Exception):
    """A source that is not there; `rule` is the ignore pattern and line that hides it, if any."""

    def __init__(self, source: str, rule: tuple[str, int] | None) -> None:
        super().__init__(source)
        self.source, self.rule = source, rule


class Scratch(Record):
    """A fresh upper directory over layers (top first), for as long as a step needs it."""

    lowers: tuple[str, ...]
    directory: str

    @property
    def upper(self) -> str:
        """What was written."""
        return f"{self.directory}/upper"

    def layers(self) -> dict[str, object]:
        """As jobs have it."""
        names = {name: f"{self.directory}/{name}" for name in ("upper", "work", "merged")}
        return {"lowers": list(self.lowers), **names}


@contextlib.contextmanager
def scratch(temporary: str, lowers: Sequence[str]) -> Iterator[Scratch]:
    """Made below `temporary`, which is on the filesystem of the layers; removed at the end."""
    os.makedirs(temporary, mode=0o700, exist_ok=True)
    directory = tempfile.mkdtemp(prefix="build-", dir=temporary)
    try:
        for name in ("upper", "work", "merged"):
            os.mkdir(f"{directory}/{name}", 0o755)
        os.chmod(f"{directory}/upper", 0o755)
        yield Scratch(lowers=tuple(lowers), directory=directory)
    finally:
        remove_tree(directory)


def copy_request(
    target: Mapping[str, object],
    source: object,
    sources: Sequence[str],
    to: str,
    owner: str | None,
    **others: object,
) -> dict[str, Any]:
    """The job of copying, as the process takes it.

    target, source   layers of a Scratch; the source also a directory
    owner            of the copies; None keeps that of the sources
    others           what is not as usual: mode, unpack, ignore, exclude, parents, archives
    """
    usual: dict[str, object] = {
        "mode": None,
        "unpack": False,
        "ignore": [],
        "exclude": [],
        "parents": False,
    }
    job = {"do": "copy", "target": target, "source": source, "sources": list(sources)}
    return {**job, "to": to, "owner": owner, **usual, **others}


async def perform(job: dict[str, Any]) -> Any:
    """Have one job done; see `engine.build.copier`. Raises CopyFailed, SourceMissing,
    DiskFull."""
    child = await asyncio.create_subprocess_exec(
        *command_line("engine.build.copier", os.getpid()),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={},
        start_new_session=True,
    )
    try:
        given = json.dumps(job).encode("utf-8", "surrogateescape")
        output, errors = await child.communicate(given)
    except asyncio.CancelledError:
        child.kill()
        await child.wait()
        raise
    if not output:
        said = errors.decode(errors="replace")
        raise RuntimeError(f"the copying process ended with {child.returncode}:\n{said}")
    answer = json.loads(output.decode("utf-8", "surrogateescape"))
    if "missing" in answer:
        rule = answer["rule"]
        raise SourceMissing(answer["missing"], tuple(rule) if rule else None)
    if answer.get("errno") in (errno.ENOSPC, errno.EDQUOT):
        raise full(job["target"]["upper"], "copying: ")
    if "what" in answer:
        raise CopyFailed(answer["what"])
    return answer["result"]
