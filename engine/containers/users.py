"""Users and groups by the container's own passwd and group files."""

from __future__ import annotations

import os
import stat

MAX_ID = 2**31 - 1
_MAX_BYTES = 10 * 1024 * 1024


class UnknownUser(Exception):
    """No such user in the image, or a number that is out of range."""

    code = "unknown-user"


class UnknownGroup(UnknownUser):
    """No such group in the image."""

    code = "unknown-group"


class User:
    """Who a process is to be: numbers only.

    groups  supplementary ones, the primary included (CVE-2022-36109)
    home    from passwd, None if the uid is not in it
    """

    __slots__ = ("gid", "groups", "home", "uid")

    def __init__(self, uid: int, gid: int, groups: list[int], home: str | None) -> None:
        self.uid, self.gid, self.groups, self.home = uid, gid, groups, home


def find_user(text: str, additional: list[str], root: str = "") -> User:
    """`text` as `""`, name, uid, `name:group`, `uid:gid`; the files are read below `root`.

    A number is only ever an id, never a name (CVE-2016-3697); a uid that passwd does not know is
    accepted and has group 0. With a group in `text`, the user's other groups do not count.
    Raises UnknownUser.
    """
    return resolve(
        text, additional, read_file(f"{root}/etc/passwd"), read_file(f"{root}/etc/group")
    )


def resolve(text: str, additional: list[str], passwd: str, group: str) -> User:
    """The same on the text of the two files."""
    name, colon, group_name = (text or "0").partition(":")
    entry = _find_passwd(name or "0", _rows(passwd, 7))
    group_rows = _rows(group, 4)
    uid, gid, login, home = entry
    groups = []
    if colon and group_name:
        gid = _group_id(group_name, group_rows)
    elif login is not None:
        groups = [_id(row[2]) for row in group_rows if login in row[3].split(",")]
    groups += [_group_id(word, group_rows) for word in additional]
    return User(uid, gid, list(dict.fromkeys([gid, *groups])), home)


def read_file(path: str) -> str:
    """The text of a regular file of at most 10 MiB; "" where there is none.

    The image made it: a FIFO would block for ever, and another kind has nothing to say. Nor have
    the kernel's own files, to which a link may lead, and which say that they are empty: reading
    /proc/kmsg would take messages from the host.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode) or found.st_size == 0:
            return ""
        chunks = []
        left = _MAX_BYTES
        while left > 0 and (chunk := os.read(fd, min(left, 65536))):
            chunks.append(chunk)
            left -= len(chunk)
        return b"".join(chunks).decode("utf-8", "surrogateescape")
    finally:
        os.close(fd)


def _rows(text: str, width: int) -> list[list[str]]:
    """Lines with an id that is one, `width` fields each; the others are passed over.

    What is missing at the end counts as empty: images made by hand write `app:x:1000:1000`.
    """
    rows = [line.split(":") for line in text.split("\n") if not line.startswith("#")]
    padding = [""] * width
    return [[*row, *padding][:width] for row in rows if len(row) > 2 and _is_id(row[2])]


def _find_passwd(name: str, rows: list[list[str]]) -> tuple[int, int, str | None, str | None]:
    number = _number(name)
    for row in rows:
        if row[0] == name if number is None else _id(row[2]) == number:
            gid = _id(row[3]) if _is_decimal(row[3]) else 0
            return _id(row[2]), gid, row[0], row[5] or None
    if number is None:
        raise UnknownUser(f"unable to find user {name}: no matching entries in passwd file")
    return number, 0, None, None


def _group_id(name: str, rows: list[list[str]]) -> int:
    number = _number(name)
    if number is not None:
        return number
    for row in rows:
        if row[0] == name:
            return _id(row[2])
    raise UnknownGroup(f"unable to find group {name}: no matching entries in group file")


def _number(word: str) -> int | None:
    return _id(word) if _is_decimal(word.removeprefix("-")) else None


def _id(word: str) -> int:
    if not _is_id(word):
        raise UnknownUser(f"{word} is not a user or group id: they go from 0 to {MAX_ID}")
    return int(word)


def _is_id(word: str) -> bool:
    return _is_decimal(word) and len(word) < 20 and int(word) <= MAX_ID


def _is_decimal(word: str) -> bool:
    return word.isascii() and word.isdecimal()
