"""The process that unpacks one layer: a tar stream on descriptor 0, a report as JSON on 1.

It trusts nothing in the stream, and confines itself before it reads it (engine.images.confinement).
Started by `engine.images.unpack` as `python -SI`; standard library only.
"""

from __future__ import annotations

import io
import json
import os

from engine.images.apply import Applier, Limits
from engine.images.confinement import confine
from engine.images.fields import BadArchive
from engine.images.members import Refused
from engine.images.tar import TarReader
from engine.kernel import process

_READ_AHEAD_BYTES = 1024 * 1024


def main(directory: str, parent: int, entries: int, total_bytes: int) -> int:
    """Unpack descriptor 0 into the empty `directory`; 0 when all went well."""
    process.die_with_parent(parent)
    confine(directory, total_bytes)
    root_fd = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    applier = Applier(root_fd, Limits(entries, total_bytes))
    try:
        _unpack(applier)
    except (Refused, BadArchive, OSError, MemoryError) as error:
        return _report(_failure(error))
    return _report(_result(applier))


def _unpack(applier: Applier) -> None:
    stream = io.BufferedReader(io.FileIO(0), _READ_AHEAD_BYTES)
    reader = TarReader(stream.read)
    for entry in reader:
        applier.apply(entry, reader)
    reader.drain()
    applier.finish()


def _failure(error: Exception) -> dict[str, object]:
    if isinstance(error, Refused):
        return {"code": error.code, "what": str(error)}
    if isinstance(error, BadArchive):
        return {"code": "invalid-layer", "what": f"the archive cannot be read: {error}"}
    if isinstance(error, OSError):
        return {"code": "unpack-failed", "errno": error.errno, "what": str(error)}
    return {"code": "invalid-layer", "what": "it takes more memory than a layer may"}


def _result(applier: Applier) -> dict[str, object]:
    return {
        "entries": applier.entries,
        "bytes": applier.bytes,
        "opaque": [os.fsdecode(path) for path in sorted(applier.opaque)],
        "whiteouts": [os.fsdecode(path) for path in applier.whiteouts],
        "implied": [os.fsdecode(path) for path in sorted(applier.implied)],
        "links": [[os.fsdecode(word) for word in pair] for pair in applier.links.items()],
        "warnings": sorted(applier.warnings),
    }


def _report(result: dict[str, object]) -> int:
    with open(1, "wb") as output:
        output.write(json.dumps(result).encode())
    return 1 if "code" in result else 0
