"""The `--name=value` flags between an instruction and its arguments (engine.md D6.3)."""

from __future__ import annotations

from engine.kernel.record import Record


class Flag(Record):
    """One flag as written; `value` is None without `=`."""

    name: str
    value: str | None
    offset: int


class FlagError(ValueError):
    """A flag whose value is missing or none of its kind."""

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message)
        self.offset = offset


class Flags:
    """The flags of one instruction. Each that is asked for is known; `left` has the others."""

    def __init__(self, flags: tuple[Flag, ...]) -> None:
        self._flags = flags
        self._multiple: set[str] = set()
        self.known: list[str] = []

    def one(self, name: str) -> str | None:
        """The value of a flag that may be given once. Raises FlagError where it has none."""
        self.known.append(name)
        return next((_value(flag) for flag in self._flags if flag.name == name), None)

    def switch(self, name: str) -> bool | None:
        """`--name`, `--name=true` or `--name=false`; None where it is not given."""
        self.known.append(name)
        return next((_truth(flag) for flag in self._flags if flag.name == name), None)

    def several(self, name: str) -> tuple[str, ...]:
        """The values of a flag that may be repeated."""
        self.known.append(name)
        self._multiple.add(name)
        return tuple(_value(flag) for flag in self._flags if flag.name == name)

    def left(self) -> list[Flag]:
        """Flags that nobody asked for."""
        return [flag for flag in self._flags if flag.name not in self.known]

    def repeated(self) -> list[Flag]:
        """Second and later uses of flags that may be given once."""
        seen: set[str] = set()
        found = []
        for flag in self._flags:
            if flag.name in seen and flag.name not in self._multiple:
                found.append(flag)
            seen.add(flag.name)
        return found


def _value(flag: Flag) -> str:
    if flag.value is None:
        raise FlagError(f"missing a value on flag: --{flag.name}", flag.offset)
    return flag.value


def _truth(flag: Flag) -> bool:
    word = "true" if flag.value is None else flag.value.lower()
    if word not in ("true", "false"):
        raise FlagError(f"--{flag.name} is true or false, not `{flag.value}`", flag.offset)
    return word == "true"


def read_flags(text: str, at: int) -> tuple[Flags, int]:
    """The flags from offset `at` on, and the offset of the first character after them."""
    flags: list[Flag] = []
    while True:
        at = _skip_blanks(text, at)
        if not text.startswith("--", at):
            return Flags(tuple(flags)), at
        word, end = _word(text, at)
        if word == "--":
            return Flags(tuple(flags)), _skip_blanks(text, end)
        name, equals, value = word[2:].partition("=")
        flags.append(Flag(name=name, value=value if equals else None, offset=at))
        at = end


def _skip_blanks(text: str, at: int) -> int:
    while at < len(text) and text[at].isspace():
        at += 1
    return at


def _word(text: str, at: int) -> tuple[str, int]:
    """One word, its quotes and backslashes resolved, and where it ends."""
    word, quote = "", ""
    while at < len(text):
        char = text[at]
        if char == "\\" and at + 1 < len(text):
            at += 1
            word += text[at]
        elif quote:
            quote, word = ("", word) if char == quote else (quote, word + char)
        elif char in "\"'":
            quote = char
        elif char.isspace():
            break
        else:
            word += char
        at += 1
    return word, at
