"""Users and groups by the files of the image, never by the host's (engine.md D6.10, E9).

Standard library alone: the copying child imports this.
"""

from __future__ import annotations

_LARGEST_ID = 2**31 - 1


class UnknownOwner(Exception):
    """A name that the image's passwd or group does not have, or an id out of range."""


def find_owner(text: str, passwd: str, group: str) -> tuple[int, int]:
    """(uid, gid) of `user`, `user:group`, names or numbers.

    passwd, group  the content of the image's files; a user without a group gives the gid of the
                   same number (`--chown=55` is 55:55), or the one of passwd for a name.
    """
    user, colon, wanted_group = text.partition(":")
    uid, own_gid = _user(user, passwd)
    return uid, _group(wanted_group, group) if colon and wanted_group else own_gid


def _user(user: str, passwd: str) -> tuple[int, int]:
    if user.isdigit():
        return _checked(user), _checked(user)
    for fields in _fields(passwd, 4):
        if fields[0] == user and fields[2].isdigit() and fields[3].isdigit():
            return int(fields[2]), int(fields[3])
    raise UnknownOwner(f"unable to find user {user}: no matching entries in passwd file")


def _group(name: str, group: str) -> int:
    if name.isdigit():
        return _checked(name)
    for fields in _fields(group, 3):
        if fields[0] == name and fields[2].isdigit():
            return int(fields[2])
    raise UnknownOwner(f"unable to find group {name}: no matching entries in group file")


def _fields(text: str, count: int) -> list[list[str]]:
    lines = (line.split(":") for line in text.splitlines())
    return [fields for fields in lines if len(fields) >= count]


def _checked(number: str) -> int:
    if int(number) > _LARGEST_ID:
        raise UnknownOwner(f"{number} is not a valid id: the largest is {_LARGEST_ID}")
    return int(number)
