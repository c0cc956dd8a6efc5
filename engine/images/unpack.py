"""Unpacking a layer: one pass over the stream, in a process that can do nothing else."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.errors import ImageProblem, Problem
from engine.kernel.interpreter import command_line
from engine.state.space import full

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_ENTRIES = 10_000_000
MOST_BYTES = 1 << 40
_PIPE_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Unpacked:
    """What came of a layer; see `apply.Applier` for the lists of paths, all from the root."""

    diff_id: str
    size_bytes: int
    opaque: tuple[bytes, ...]
    whiteouts: tuple[bytes, ...]
    implied: tuple[bytes, ...]
    links: tuple[tuple[bytes, bytes], ...]
    warnings: tuple[str, ...]


def unpack(tar: Iterator[bytes], directory: str, subject: str) -> Unpacked:
    """Unpack an uncompressed tar stream into `directory`, which is empty.

    The digest is taken of all that the stream gives; the caller compares it before the directory
    is used. Raises ImageProblem (`hostile-archive`, `invalid-layer`) naming the
    member at fault, DiskFull; `subject` names the layer.
    """
    child = _start(directory)
    digest = hashlib.sha256()
    try:
        _feed(child, tar, digest)
    except BaseException:
        child.kill()
        _collect(child)
        raise
    report = _collect(child)
    if "code" in report:
        raise _problem(report, subject, directory)
    return Unpacked(
        diff_id=f"sha256:{digest.hexdigest()}",
        size_bytes=report["bytes"],
        opaque=tuple(map(os.fsencode, report["opaque"])),
        whiteouts=tuple(map(os.fsencode, report["whiteouts"])),
        implied=tuple(map(os.fsencode, report["implied"])),
        links=tuple((os.fsencode(path), os.fsencode(target)) for path, target in report["links"]),
        warnings=tuple(report["warnings"]),
    )


def _start(directory: str) -> subprocess.Popen[bytes]:
    arguments = (directory, os.getpid(), MOST_ENTRIES, MOST_BYTES)
    child = subprocess.Popen(
        command_line("engine.images.unpacker", *arguments),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={},
        bufsize=0,
        start_new_session=True,  # Ctrl-C is for us: we decide what becomes of it
    )
    assert child.stdin is not None
    fcntl.fcntl(child.stdin, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    return child


def _feed(child: subprocess.Popen[bytes], tar: Iterator[bytes], digest: hashlib._Hash) -> None:
    assert child.stdin is not None
    for piece in tar:
        digest.update(piece)
        view = memoryview(piece)
        try:
            while view:
                view = view[child.stdin.write(view) :]
        except BrokenPipeError:  # it gave up; its report says why
            return


def _collect(child: subprocess.Popen[bytes]) -> dict[str, Any]:
    output, errors = child.communicate()
    if output:
        report: dict[str, Any] = json.loads(output)
        return report
    if child.returncode < 0:
        return {"code": "unpack-failed", "what": f"its unpacker died of signal {-child.returncode}"}
    raise RuntimeError(f"the unpacker failed:\n{errors.decode(errors='replace')}")


def _problem(report: dict[str, Any], subject: str, directory: str) -> Problem:
    if report.get("errno") in (errno.ENOSPC, errno.EDQUOT):
        return full(directory, f"unpacking {subject}: ")
    return ImageProblem(f"{subject} was refused: {report['what']}", code=report["code"])
