"""The process that unpacks one layer: a tar stream on descriptor 0, a report as JSON on 1.

It trusts nothing in the stream: it has a mount, network and IPC namespace of its own, the layer's
directory as root, no way out of it, no capability but those that set owners, modes, devices and
file capabilities, and limits on memory and files. Started by `engine.images.unpack` as
`python -SI`; standard library only.
"""

from __future__ import annotations

import io
import json
import os
import resource
import shutil  # noqa: F401 - nothing can be imported any more once the root is the layer
import sys

from engine.images.apply import Applier, Limits, Refused
from engine.images.tar import BadArchive, TarReader
from engine.kernel import capabilities, mounts, process
from engine.kernel.libc import KernelCallError, libc

_CLONE_NEWNS, _CLONE_NEWIPC, _CLONE_NEWNET = 0x20000, 0x8000000, 0x40000000
_KEPT = ["CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "MKNOD", "SETFCAP"]
_MEMORY_BYTES = 1 << 30
_FILES = 64
_READ_AHEAD_BYTES = 1024 * 1024


def main(directory: str, parent: int, entries: int, total_bytes: int) -> int:
    """Unpack descriptor 0 into the empty `directory`; 0 when all went well."""
    process.die_with_parent(parent)
    _confine(directory, total_bytes)
    root_fd = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    applier = Applier(root_fd, Limits(entries, total_bytes))
    try:
        _unpack(applier)
    except (Refused, BadArchive, OSError, MemoryError) as error:
        return _report(_failure(error))
    return _report(_result(applier))


def _confine(directory: str, total_bytes: int) -> None:
    if libc.unshare(_CLONE_NEWNS | _CLONE_NEWIPC | _CLONE_NEWNET) < 0:
        raise KernelCallError("unshare")
    mounts.mount("", "/", flags=mounts.MS_REC | mounts.MS_PRIVATE)
    mounts.mount(directory, directory, flags=mounts.MS_BIND)
    root_fd = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    mounts.become_root(root_fd)
    os.close(root_fd)
    sys.meta_path.clear()  # an import would now run what the layer has at our library's path
    os.umask(0)
    for limit, value in (
        (resource.RLIMIT_AS, _MEMORY_BYTES),
        (resource.RLIMIT_NOFILE, _FILES),
        (resource.RLIMIT_FSIZE, total_bytes),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = resource.getrlimit(limit)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(limit, (value, value))
    process.set_no_new_privileges()
    capabilities.drop_bounding(_KEPT)
    capabilities.set_capabilities(_KEPT)


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
        "implied": [os.fsdecode(path) for path in sorted(applier.implied)],
        "links": [[os.fsdecode(path), os.fsdecode(target)] for path, target in applier.links],
        "warnings": sorted(applier.warnings),
    }


def _report(result: dict[str, object]) -> int:
    with open(1, "wb") as output:
        output.write(json.dumps(result).encode())
    return 1 if "code" in result else 0
