"""The keys that detach (engine.md C2): `ctrl-p,ctrl-q` unless others are asked for."""

from __future__ import annotations

from engine.errors import Problem

DEFAULT = "ctrl-p,ctrl-q"
_CONTROL = {
    **{chr(ord("a") + number): number + 1 for number in range(26)},
    **{"@": 0x00, "[": 0x1B, "\\": 0x1C, "]": 0x1D, "^": 0x1E, "_": 0x1F},
}
_ASCII_END = 0x80


class NoKeys(Problem):
    """What was given is no sequence of keys."""

    code = "detach-keys"


def parse_keys(text: str) -> bytes:
    """The bytes that a terminal sends for `ctrl-p,ctrl-q` or `a,ctrl-[`. Raises NoKeys."""
    return bytes(_key(name) for name in text.split(","))


def _key(name: str) -> int:
    if len(name) == 1 and ord(name) < _ASCII_END:
        return ord(name)
    control = name.removeprefix("ctrl-")
    if control == name or control not in _CONTROL:
        raise NoKeys(
            f"detach keys: `{name}` is not a key",
            hint="characters, and ctrl- with one of a-z @ [ \\ ] ^ _, with commas between them",
        )
    return _CONTROL[control]


class KeyFilter:
    """Finds the sequence in what is typed, also where it comes in several pieces."""

    def __init__(self, keys: bytes) -> None:
        self._keys, self._held = keys, b""

    def feed(self, typed: bytes) -> tuple[bytes, bool]:
        """(what is to be passed on, whether the sequence is complete).

        The beginning of a sequence is held until it is known to be none.
        """
        text = self._held + typed
        found = text.find(self._keys)
        if found >= 0:
            self._held = b""
            return text[:found], True
        held = next(
            length
            for length in range(min(len(self._keys) - 1, len(text)), -1, -1)
            if text.endswith(self._keys[:length])
        )
        self._held = text[len(text) - held :]
        return text[: len(text) - held], False
