"""RUN --mount: what is asked (engine.md D6.12)."""

from __future__ import annotations

import csv
import posixpath
import re
from typing import TYPE_CHECKING

from engine.errors import BuildProblem
from engine.kernel.record import Record

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.build.expander import Expander
    from engine.build.instructions import Run

_KEYS = {
    "src": "source",
    "destination": "target",
    "dst": "target",
    "ro": "readonly",
    "rw": "readwrite",
}
_OWNED = {"id", "target", "mode", "uid", "gid"}
_ALLOWED = {
    "bind": {"from", "source", "target", "readonly", "readwrite"},
    "cache": {*_OWNED, "from", "source", "sharing", "readonly", "readwrite"},
    "tmpfs": {"target", "size"},
    "secret": {*_OWNED, "source", "env", "required"},
    "ssh": {*_OWNED, "required"},
}
_MODES = {"secret": "400", "ssh": "600"}
SSH_SOCKET = "/run/buildkit/ssh_agent"  # and `.N`, N being its number among those of a RUN
_OCTAL = re.compile("[0-7]{1,6}")
_DECIMAL = re.compile("[0-9]{1,10}")
_LARGEST_ID = 2**32 - 2  # the one above it means "leave it" to chown(2)
_SIZE = re.compile(r"(\d+)([kmg]?)b?", re.IGNORECASE)


class RunMount(Record):
    """One --mount.

    origin   bind, cache: stage, image or context that `source` is in; "" is the build context
    seeded   cache: a new one begins as a copy of `source`
    env      secret: the variable that has it
    target   "" where a secret is a variable alone
    mode, uid, gid   of a new cache's directory, of a secret, of a socket
    """

    type: str
    target: str
    source: str = "/"
    origin: str = ""
    seeded: bool = False
    id: str = ""
    sharing: str = "shared"
    read_only: bool = False
    required: bool = False
    env: str | None = None
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
    try:
        return _mount(fields.pop("type", "bind"), fields, directory)
    except ValueError as error:
        where = run.locate_word(text)
        raise BuildProblem(f"in a mount: {error}", where=where, code="invalid-mount") from None


def _fields(text: str) -> dict[str, str]:
    fields = {}
    for part in next(csv.reader([text]), []):
        key, _, value = part.partition("=")
        key = key.strip().lower()
        fields[_KEYS.get(key, key)] = value
    return fields


def _mount(kind: str, fields: dict[str, str], directory: str) -> RunMount:
    if kind not in _ALLOWED:
        raise ValueError(f"unsupported type `{kind}`: it is one of {', '.join(_ALLOWED)}")
    for key in fields.keys() - _ALLOWED[kind]:
        raise ValueError(f"unexpected key `{key}` for type {kind}")
    if "$" in fields.get("from", ""):
        raise ValueError("`from` has no variables; name the image in a FROM ... AS")
    sharing = fields.get("sharing", "shared")
    if sharing not in ("shared", "private", "locked"):
        raise ValueError(f"unknown sharing `{sharing}`: it is one of shared, private, locked")
    target = _target(kind, fields, directory)
    return RunMount(
        type=kind,
        target=target,
        source=fields.get("source", "/"),
        origin=fields.get("from", ""),
        seeded=kind == "cache" and "from" in fields,
        id=_id(kind, fields, target),
        sharing=sharing,
        read_only=_read_only(kind, fields),
        required=_is_true(fields.get("required", "false")),
        env=fields.get("env"),
        mode=_mode(fields.get("mode", _MODES.get(kind, "755"))),
        uid=_owner("uid", fields),
        gid=_owner("gid", fields),
        size_bytes=_size(fields["size"]) if "size" in fields else None,
    )


def _mode(text: str) -> int:
    if not _OCTAL.fullmatch(text):
        raise ValueError(f"`{text}` is not a mode, as 0755 is")
    return int(text, 8)


def _owner(key: str, fields: Mapping[str, str]) -> int:
    text = fields.get(key, "0")
    if not _DECIMAL.fullmatch(text) or int(text) > _LARGEST_ID:
        raise ValueError(f"`{key}` is a number, and not `{text}`")
    return int(text)


def _id(kind: str, fields: Mapping[str, str], target: str) -> str:
    if kind == "secret":
        return _secret_id(fields)
    return fields.get("id") or ("default" if kind == "ssh" else target)


def _secret_id(fields: Mapping[str, str]) -> str:
    given = fields.get("source") or fields.get("id")
    return given or posixpath.basename(fields.get("target", ""))


def _target(kind: str, fields: Mapping[str, str], directory: str) -> str:
    target = fields.get("target", "")
    if kind == "secret" and not target:
        name = posixpath.basename(_secret_id(fields))
        if not name:
            raise ValueError("a secret has an `id` or a `target`")
        return "" if "env" in fields else f"/run/secrets/{name}"
    if kind == "ssh" and not target:
        return SSH_SOCKET
    joined = posixpath.normpath(posixpath.join(directory, target))
    if joined == "/" or not target:
        raise ValueError("it needs a target, other than /")
    return joined


def _read_only(kind: str, fields: Mapping[str, str]) -> bool:
    if "readwrite" in fields:
        return not _is_true(fields["readwrite"])
    if "readonly" in fields:
        return _is_true(fields["readonly"])
    return kind == "bind"


def _is_true(text: str) -> bool:
    """A key without a value is set."""
    word = text.lower()
    if word not in ("", "1", "true", "0", "false"):
        raise ValueError(f"`{text}` is neither true nor false")
    return word in ("", "1", "true")


def _size(text: str) -> int:
    match = _SIZE.fullmatch(text)
    if match is None:
        raise ValueError(f"`{text}` is not a size")
    return int(match[1]) << {"": 0, "k": 10, "m": 20, "g": 30}[match[2].lower()]
