"""RUN --mount: what is asked, and the mounts that come of it (engine.md D6.12, E14)."""

from __future__ import annotations

import contextlib
import csv
import hashlib
import os
import posixpath
import re
from typing import TYPE_CHECKING

from engine.containers.spec import Mount
from engine.errors import BuildProblem
from engine.kernel.record import Record
from engine.state.locks import locked, locked_if_free

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from engine.build.expander import Expander
    from engine.build.instructions import Run

_KEYS = {
    "src": "source",
    "destination": "target",
    "dst": "target",
    "ro": "readonly",
    "rw": "readwrite",
}
_ALLOWED = {
    "bind": {"from", "source", "target", "readonly", "readwrite"},
    "cache": {"id", "target", "sharing", "mode", "uid", "gid", "readonly", "readwrite"},
    "tmpfs": {"target", "size"},
}
_LATER = {"secret", "ssh"}
_SIZE = re.compile(r"(\d+)([kmg]?)b?", re.IGNORECASE)


class RunMount(Record):
    """One --mount.

    origin   bind: stage, image or context that `source` is in; "" is the build context
    mode, uid, gid   cache: of a new directory
    """

    type: str
    target: str
    source: str = "/"
    origin: str = ""
    id: str = ""
    sharing: str = "shared"
    read_only: bool = False
    mode: int = 0o755
    uid: int = 0
    gid: int = 0
    size_bytes: int | None = None


def mount_source(text: str) -> str | None:
    """The `from` of a --mount as written: stages are ordered by it before anything is expanded."""
    return _fields(text).get("from")


def parse_mount(text: str, run: Run, expander: Expander, directory: str) -> RunMount:
    """`type=cache,target=/root/.cache` as a RunMount. Raises BuildProblem.

    directory  WORKDIR, which relative targets are in
    """
    fields = {
        key: value if key == "from" else expander.word(value)
        for key, value in _fields(text).items()
    }
    kind = fields.pop("type", "bind")
    where = run.locate_word(text)
    if kind in _LATER:
        raise BuildProblem(
            f"RUN --mount=type={kind} is not built yet", where=where, code="not-built-yet"
        )
    if kind not in _ALLOWED:
        raise BuildProblem(f"unsupported mount type `{kind}`", where=where, code="invalid-mount")
    for key in fields.keys() - _ALLOWED[kind]:
        later = kind == "cache" and key in ("from", "source")
        what = (
            f"`{key}` of a {kind} mount is not built yet"
            if later
            else (f"unexpected key `{key}` for a {kind} mount")
        )
        code = "not-built-yet" if later else "invalid-mount"
        raise BuildProblem(what, where=where, code=code)
    target = posixpath.normpath(posixpath.join(directory, fields.get("target", "")))
    if target == "/" or not fields.get("target"):
        raise BuildProblem(
            "a mount needs a target, other than /", where=where, code="invalid-mount"
        )
    return _mount(kind, target, fields, where)


def _fields(text: str) -> dict[str, str]:
    fields = {}
    for part in next(csv.reader([text]), []):
        key, _, value = part.partition("=")
        key = key.strip().lower()
        fields[_KEYS.get(key, key)] = value
    return fields


def _mount(kind: str, target: str, fields: Mapping[str, str], where: str) -> RunMount:
    sharing = fields.get("sharing", "shared")
    if sharing not in ("shared", "private", "locked"):
        raise BuildProblem(
            f"unknown sharing `{sharing}`",
            where=where,
            hint="one of shared, private, locked",
            code="invalid-mount",
        )
    try:
        return RunMount(
            type=kind,
            target=target,
            source=fields.get("source", "/"),
            origin=fields.get("from", ""),
            id=fields.get("id") or target,
            sharing=sharing,
            read_only=_read_only(kind, fields),
            mode=int(fields.get("mode", "755"), 8),
            uid=int(fields.get("uid", "0")),
            gid=int(fields.get("gid", "0")),
            size_bytes=_size(fields["size"]) if "size" in fields else None,
        )
    except ValueError as error:
        raise BuildProblem(f"in a mount: {error}", where=where, code="invalid-mount") from None


def _read_only(kind: str, fields: Mapping[str, str]) -> bool:
    if "readwrite" in fields:
        return fields["readwrite"].lower() in ("false", "0")
    if "readonly" in fields:
        return fields["readonly"].lower() not in ("false", "0")
    return kind == "bind"


def _size(text: str) -> int:
    match = _SIZE.fullmatch(text)
    if match is None:
        raise ValueError(f"`{text}` is not a size")
    return int(match[1]) << {"": 0, "k": 10, "m": 20, "g": 30}[match[2].lower()]


@contextlib.contextmanager
def cache_directory(directory: str, mount: RunMount) -> Iterator[str]:
    """The directory of a cache mount, held as its `sharing` says; waits where it must.

    directory  where all of them are, and their locks
    """
    os.makedirs(directory, mode=0o700, exist_ok=True)
    name = hashlib.sha256(mount.id.encode()).hexdigest()[:32]  # never a path of the Dockerfile's
    path = os.path.join(directory, name)
    with contextlib.ExitStack() as held:
        if mount.sharing == "locked":
            held.enter_context(locked(f"{path}.lock"))
        elif mount.sharing == "private":
            path = held.enter_context(_free(path))
        _ensure_directory(path, mount)
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


def _ensure_directory(path: str, mount: RunMount) -> None:
    try:
        os.mkdir(path)
    except FileExistsError:
        return
    os.chown(path, mount.uid, mount.gid)
    os.chmod(path, mount.mode)


def container_mount(mount: RunMount, source: str) -> Mount:
    """The mount of the RUN's container; `source` on the host, "" for tmpfs."""
    if mount.type == "tmpfs":
        return Mount(type="tmpfs", target=mount.target, size_bytes=mount.size_bytes)
    return Mount(
        type="bind",
        target=mount.target,
        source=source,
        read_only=mount.read_only,
        create_host_path=False,
    )
