"""Files that nobody else can read or write, in a directory of their own, a bounded number."""

from __future__ import annotations

import os

MAX_ENTRIES = 200


def read_entry(path: str) -> str | None:
    """Text of an entry; None where there is none that we wrote.

    Raises OSError, ValueError where it cannot be read.
    """
    with open(path, encoding="utf-8") as file:  # noqa: PTH123 - pathlib costs 17 ms
        written_by = os.fstat(file.fileno()).st_uid
        return file.read() if written_by == os.geteuid() else None


def write_entry(path: str, text: str) -> None:
    """Write an entry whole or not at all; the oldest ones make room.

    Raises OSError, UnicodeError where that cannot be done; the directory belongs to us alone after.
    """
    directory = os.path.dirname(path)  # noqa: PTH120
    os.makedirs(directory, mode=0o700, exist_ok=True)  # noqa: PTH103
    if os.stat(directory).st_mode & 0o077:  # noqa: PTH116
        os.chmod(directory, 0o700)  # noqa: PTH101
    _make_room(directory)
    temporary = f"{path}.{os.getpid()}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
    with os.fdopen(os.open(temporary, flags, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(temporary, path)  # noqa: PTH105


def _make_room(directory: str) -> None:
    with os.scandir(directory) as entries:
        files = sorted(entries, key=lambda entry: entry.stat().st_mtime_ns)
    for entry in files[: max(0, len(files) - MAX_ENTRIES)]:
        os.unlink(entry.path)  # noqa: PTH108
