"""The value of --chmod: octal, or symbolic as chmod(1) has it (engine.md D6.10).

Standard library alone: the copying child imports this.
"""

from __future__ import annotations

import re
import stat

_CLAUSE = re.compile(r"([ugoa]*)((?:[-+=][rwxXst]*)+)")
_ACTION = re.compile(r"([-+=])([rwxXst]*)")
_BITS = {"r": 0o444, "w": 0o222, "x": 0o111}
_WHO = {"u": 0o4700, "g": 0o2070, "o": 0o1007, "a": 0o7777}


def parse_mode(text: str) -> str:
    """The text itself, if it is a mode. Raises ValueError."""
    if re.fullmatch(r"[0-7]{1,4}", text):
        return text
    if text and all(_CLAUSE.fullmatch(clause) for clause in text.split(",")):
        return text
    raise ValueError(f"`{text}` is not a mode, as 755 or u=rwX,go=rX are")


def apply_mode(text: str, mode: int) -> int:
    """The permission bits of a file whose st_mode is `mode` after chmod `text`."""
    if text.isdigit():
        return int(text, 8)
    is_directory = stat.S_ISDIR(mode)
    bits = stat.S_IMODE(mode)
    for clause in text.split(","):
        match = _CLAUSE.fullmatch(clause)
        assert match is not None  # parse_mode has seen it
        reach = 0
        for who in match[1] or "a":
            reach |= _WHO[who]
        for action, letters in _ACTION.findall(match[2]):
            bits = _act(action, _meant(letters, bits, is_directory) & reach, bits, reach)
    return bits


def _meant(letters: str, bits: int, is_directory: bool) -> int:
    meant = 0
    for letter in letters:
        if letter == "X":
            meant |= 0o111 if is_directory or bits & 0o111 else 0
        elif letter == "s":
            meant |= stat.S_ISUID | stat.S_ISGID
        elif letter == "t":
            meant |= stat.S_ISVTX
        else:
            meant |= _BITS[letter]
    return meant


def _act(action: str, meant: int, bits: int, reach: int) -> int:
    if action == "+":
        return bits | meant
    return bits & ~meant if action == "-" else bits & ~reach | meant
