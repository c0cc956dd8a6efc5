"""The build context that all of them use: every kind of file, all of the same, old time."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import tarfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

AT_S = 978_307_200  # 2001-01-01
TEXTS = {
    "a.txt": "a",
    "b.txt": "b",
    "with blank.txt": "blank",
    "dir/c": "c",
    "dir/x.o": "object",
    "dir/deep/d": "d",
    "modes/exec.sh": "#!/bin/sh\n",
    "modes/secret": "secret",
    "modes/setuid": "setuid",
    "modes/owned": "owned",
    "links/target": "target",
    "hard/one": "hard",
    "ignored/one": "one",
    "ignored/kept": "kept",
    "ignored.txt": "ignored",
    "logs/one.log": "log",
    "logs/kept.log": "log",
    "logs/deep/two.log": "log",
    "logs/text": "text",
    ".dockerignore": """\
# patterns
ignored
!ignored/kept
*.log
**/*.log
!logs/kept.log
/ignored.txt
""",
}
LINKS = {
    "link": "a.txt",
    "dirlink": "dir",
    "links/relative": "target",
    "links/absolute": "/links/target",
    "links/dangling": "nowhere",
}
FILE = {"mode": 0o4755, "uid": 11, "gid": 12}  # in the archives
MODES = {"modes/exec.sh": 0o755, "modes/secret": 0o600, "modes/setuid": 0o4755, "modes": 0o711}


def make_context(root: Path) -> None:
    """All of it below `root`, which is not there yet."""
    root.mkdir(mode=0o755)
    for name, text in TEXTS.items():
        path = root / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(text)
        path.chmod(0o644)
    for name, target in LINKS.items():
        (root / name).symlink_to(target)
    (root / "hard/two").hardlink_to(root / "hard/one")
    (root / "empty").mkdir()
    _make_archives(root / "archives")
    os.chown(root / "modes/owned", 1234, 5678)
    for path in root.rglob("*"):
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o755)
    for name, mode in MODES.items():
        (root / name).chmod(mode)
    for path in [root, *root.rglob("*")]:
        os.utime(path, (AT_S, AT_S), follow_symlinks=False)


def _make_archives(directory: Path) -> None:
    directory.mkdir()
    plain = archive()
    (directory / "a.tar").write_bytes(plain)
    (directory / "a.tar.gz").write_bytes(gzip.compress(plain, mtime=0))
    (directory / "a.tar.bz2").write_bytes(bz2.compress(plain))
    (directory / "a.tar.xz").write_bytes(lzma.compress(plain))
    (directory / "named").write_bytes(gzip.compress(plain, mtime=0))
    (directory / "a.txt.gz").write_bytes(gzip.compress(b"text", mtime=0))


def archive() -> bytes:
    """A tar with a file, a directory, links, modes and owners."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, fields, data in (
            ("inside", {"type": tarfile.DIRTYPE, "mode": 0o750, "uid": 9, "gid": 10}, b""),
            ("inside/file", FILE, b"file"),
            ("inside/hard", {**FILE, "type": tarfile.LNKTYPE, "linkname": "inside/file"}, b""),
            ("inside/soft", {"type": tarfile.SYMTYPE, "linkname": "file"}, b""),
        ):
            entry = tarfile.TarInfo(name)
            entry.mtime, entry.size = AT_S, len(data)
            for field, value in fields.items():
                setattr(entry, field, value)
            tar.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()
