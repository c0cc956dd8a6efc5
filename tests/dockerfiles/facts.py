"""What an image is, as facts: its config, and every file of its layers put together."""

from __future__ import annotations

import hashlib
import json
import tarfile
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

WHITEOUT, OPAQUE = ".wh.", ".wh..wh..opq"
KINDS = {
    tarfile.DIRTYPE: "directory",
    tarfile.SYMTYPE: "symlink",
    tarfile.FIFOTYPE: "fifo",
    tarfile.CHRTYPE: "device",
}
RECENT_S = 86_400 * 365  # what is older was not made by the build: its time counts


def facts(archive: Path) -> dict[str, str]:
    """Of the image in a docker-archive: fact -> value."""
    with tarfile.open(archive) as tar:
        (manifest,) = json.load(_member(tar, "manifest.json"))
        document = json.load(_member(tar, manifest["Config"]))
        tree: dict[str, str] = {}
        for layer in manifest["Layers"]:
            with tarfile.open(fileobj=_member(tar, layer)) as files:
                _apply(tree, files)
    return {**dict(_config(document)), **{f"file {path}": tree[path] for path in sorted(tree)}}


def _member(tar: tarfile.TarFile, name: str) -> Any:
    found = tar.extractfile(name)
    assert found is not None
    return found


def _config(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What an image says of its containers. Empty values are as good as none."""
    inner = {key: value for key, value in (document.get("config") or {}).items() if value}
    for name in ("Image", "Hostname", "Domainname", "ArgsEscaped"):
        inner.pop(name, None)
    for key, value in sorted(inner.items()):
        if isinstance(value, dict):
            yield from ((f"config {key} {name}", json.dumps(value[name])) for name in sorted(value))
        else:
            yield f"config {key}", json.dumps(value)
    yield "author", document.get("author") or ""
    yield "platform", f"{document['os']}/{document['architecture']}"
    empty = [bool(entry.get("empty_layer")) for entry in document.get("history", [])]
    yield "layers in history", str(empty.count(False))


def _apply(tree: dict[str, str], files: tarfile.TarFile) -> None:
    for member in files:
        path = f"/{member.name.removeprefix('./').strip('/')}"
        above, _, name = path.rpartition("/")
        if name == OPAQUE:
            _remove(tree, above, itself=False)
        elif name.startswith(WHITEOUT):
            _remove(tree, f"{above}/{name.removeprefix(WHITEOUT)}", itself=True)
        elif path != "/":
            if not member.isdir():
                _remove(tree, path, itself=True)
            tree[path] = tree[_linked(member)] if member.islnk() else _shown(files, member)


def _linked(member: tarfile.TarInfo) -> str:
    return f"/{member.linkname.removeprefix('./').strip('/')}"


def _remove(tree: dict[str, str], path: str, *, itself: bool) -> None:
    for known in [known for known in tree if known.startswith(f"{path}/")]:
        del tree[known]
    if itself:
        tree.pop(path, None)


def _shown(files: tarfile.TarFile, member: tarfile.TarInfo) -> str:
    kind = KINDS.get(member.type, "file")
    words = [kind, f"{member.mode & 0o7777:o}" if kind != "symlink" else "-"]
    words.append(f"{member.uid}:{member.gid}")
    if member.isreg():
        data = _member(files, member.name).read() if member.size else b""
        words.append(hashlib.sha256(data).hexdigest()[:12] if len(data) > 200 else repr(data))
    words.append(member.linkname)
    if member.mtime < time.time() - RECENT_S:
        words.append(str(int(member.mtime)))
    return " ".join(filter(None, words))
