"""The process that copies: a job as JSON in the descriptor that it is given, which then holds the
result; an archive comes on 0 or goes to 1.

Nothing of the container is executed or loaded for it, and it is no root but that of the host: what
it opens in a container, it opens below a descriptor of the container's root (engine.md E9).
Started by `engine.containers.copying.copying` as `python -SI`; standard library alone.
"""

from __future__ import annotations

import json
import os
import signal
import stat
import sys

from engine.containers.copying.reading import TreeReader
from engine.containers.copying.refusals import CopyRefused
from engine.containers.copying.sides import Side, find_source, find_target
from engine.containers.copying.view import open_view
from engine.containers.copying.writing import Manner, TreeWriter
from engine.images.fields import BadArchive
from engine.images.members import Refused
from engine.images.tar import TarReader
from engine.kernel import capabilities, process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from engine.containers.copying.sides import Source, Target

    Job = dict[str, Any]
    Left = list[tuple[bytes, str]]

STREAM = "-"
_KEPT = ("CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "MKNOD", "SETFCAP")


def main(sheet_fd: int, parent: int) -> int:
    """Do the job; what is left to say goes where the job was."""
    process.die_with_parent(parent)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # taking away what is half made
    os.umask(0)
    with open(sheet_fd, "r+", encoding="utf-8", errors="surrogateescape") as sheet:
        job = json.load(sheet)
        result = _result(job, parent)
        sheet.seek(0)
        sheet.truncate()
        json.dump(result, sheet)
    return 0


def _result(job: Job, parent: int) -> Job:
    try:
        root = open_view(job["view"])
        _give_up_powers(job["view"]["first"], parent)
        inside = Side(f"{job['name']}:", root, tuple(job["view"]["first"]))
        left_out = _copy(job, inside, Side("", None, (os.getuid(), os.getgid())))
        return {"left_out": [(os.fsdecode(name), why) for name, why in left_out]}
    except CopyRefused as refusal:
        refusal.where = refusal.where or _target(job)
        return refusal.described()
    except Refused as refusal:
        return CopyRefused(refusal.code, str(refusal), where=_target(job)).described()
    except BadArchive as broken:
        return CopyRefused("invalid-archive", str(broken), where=STREAM).described()
    except BrokenPipeError:
        return {"broken_pipe": True}
    except OSError as error:
        return _described(job, error).described()


def _give_up_powers(first: list[int], parent: int) -> None:
    """What is left is for reading and writing files. first: whose files they become"""
    if any(first):
        process.become_for_files(*first)
    process.set_no_new_privileges()
    capabilities.drop_bounding(_KEPT)
    capabilities.set_capabilities(_KEPT)
    process.die_with_parent(parent)  # again: a change of credentials has undone it


def _copy(job: Job, inside: Side, outside: Side) -> Left:
    if job["out"]:
        with find_source(inside, job["inside"], follow=job["follow"]) as source:
            if job["outside"] == STREAM:
                return _to_stream(inside, source)
            target = find_target(outside, job["outside"], source)
            manner = Manner(outside.first, owners=job["archive"], trusted=False)
            _check_kind(inside, job["inside"], source, devices=False)
            return _through(TreeReader(inside, source.fd, target.name), target, manner)
    if job["outside"] == STREAM:
        target = _writable(inside, job["inside"], find_target(inside, job["inside"], None))
        links = "root" if inside.clean(job["inside"]) == "/" else "beneath"
        manner = Manner(inside.first, owners=job["archive"], trusted=True, links=links)
        return _from_stream(target.fd, manner)
    with find_source(outside, job["outside"], follow=job["follow"]) as source:
        target = _writable(inside, job["inside"], find_target(inside, job["inside"], source))
        manner = Manner(inside.first, owners=job["archive"], trusted=True)
        _check_kind(outside, job["outside"], source, devices=True)
        return _through(TreeReader(Side("", None), source.fd, target.name), target, manner)


def _writable(inside: Side, path: str, target: Target) -> Target:
    """The same. Raises CopyRefused, in Docker's words, before anything is written."""
    if os.fstatvfs(target.fd).f_flag & os.ST_RDONLY:
        assert inside.root is not None
        own = os.fstat(target.fd).st_dev == os.fstat(inside.root).st_dev
        what = (
            "container rootfs is marked read-only" if own else "mounted volume is marked read-only"
        )
        raise CopyRefused("read-only", what, where=inside.shown(path))
    return target


def _check_kind(side: Side, path: str, source: Source, *, devices: bool) -> None:
    """Raise CopyRefused where nothing of the source could be copied."""
    mode = os.fstat(source.fd).st_mode
    kind = ""
    if stat.S_ISSOCK(mode):
        kind = "it is a socket"
    elif not devices and (stat.S_ISCHR(mode) or stat.S_ISBLK(mode)):
        kind = "it is a device of the container"
    if kind:
        raise CopyRefused("copy-source", f"{kind}: it stays where it is", where=side.shown(path))


def _through(reader: TreeReader, target: Target, manner: Manner) -> Left:
    writer = TreeWriter(target.fd, manner)
    for entry in reader:
        writer.put(entry, reader)
        if reader.avoid is None:  # the top is there now
            top = os.stat(target.name or ".", dir_fd=target.fd, follow_symlinks=False)
            reader.avoid = top.st_dev, top.st_ino
    writer.finish()
    return reader.left_out + writer.left_out


def _to_stream(inside: Side, source: Source) -> Left:
    from engine.containers.copying.archive import TarWriter

    writer = TarWriter(1)
    reader = TreeReader(inside, source.fd, "" if source.content else source.name)
    for entry in reader:
        entry.name = entry.name or b"."
        writer.put(entry, reader)
    writer.finish()
    return reader.left_out


def _from_stream(target_fd: int, manner: Manner) -> Left:
    with open(0, "rb", closefd=False) as stream:
        reader, writer = TarReader(stream.read), TreeWriter(target_fd, manner)
        for entry in reader:
            writer.put(entry, reader)
        writer.finish()
        reader.drain()  # who writes it is not to be told of a broken pipe
    return writer.left_out


def _target(job: Job) -> str:
    """As the user wrote it."""
    return str(job["outside"]) if job["out"] else f"{job['name']}:{job['inside']}"


def _described(job: Job, error: OSError) -> CopyRefused:
    reason = (error.strerror or str(error)).rpartition(": ")[2]
    name = f": {os.fsdecode(error.filename)}" if isinstance(error.filename, str | bytes) else ""
    return CopyRefused("copy", f"{reason.lower()}{name}", where=_target(job))
