"""The log drivers by name: where each writes, and how."""

from __future__ import annotations

from engine.containers.logs import cri, json_file, local
from engine.containers.logs.compression import Compressor
from engine.containers.logs.rotation import RotatedFile
from engine.containers.logs.writer import LogWriter, NoLog

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

NONE = "none"
MIB = 1024 * 1024
DEFAULTS = {  # (size of a file in bytes, 0 for without end; number of files; compressed)
    "cri": (10 * MIB, 3, False),
    "json-file": (0, 1, False),
    "local": (20 * MIB, 5, True),
    NONE: (0, 1, False),
}


def log_path(directory: str, container_id: str, driver: str) -> str:
    """The file that a driver's newest entries are in.

    directory  the durable one of the container
    """
    match driver:
        case "json-file":
            return f"{directory}/{json_file.file_name(container_id)}"
        case "local":
            return f"{directory}/{local.FILE_NAME}"
    return f"{directory}/{cri.FILE_NAME}"


def open_log(record: dict[str, Any]) -> LogWriter | NoLog:
    """The log of a container as `buoy.log` of its launch record asks for it.

    Its directory has to be there.
    """
    driver = record["driver"]
    if driver == NONE:
        return NoLog()
    path = record["path"]
    form: cri.Cri | json_file.JsonFile | local.Local
    match driver:
        case "json-file":
            form = json_file.JsonFile(record["attributes"])
        case "local":
            form = local.Local()
        case _:
            form = cri.Cri()
    limits = record["max_size_bytes"], record["max_files"]
    compressor = Compressor() if record["compress"] else None
    return LogWriter(RotatedFile(path, *limits, form.boundary, compressor), form)
