"""Reading a configuration that somebody else wrote: every complaint names the field."""

from __future__ import annotations

from engine.oci.errors import OciProblem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

_NAMES = {
    str: "a string",
    int: "a number",
    bool: "true or false",
    list: "a list",
    dict: "an object",
}


class Section:
    """An object of config.json. path: of it, as in `linux.resources`; "" for the whole."""

    __slots__ = ("_path", "_value")

    def __init__(self, value: object, path: str = "") -> None:
        self._path = path
        self._value: dict[str, Any] = _checked(value, dict, path or "config.json")

    def __contains__(self, name: str) -> bool:
        return self._value.get(name) is not None

    def __iter__(self) -> Iterator[str]:
        return (name for name, value in self._value.items() if value is not None)

    def path(self, name: str) -> str:
        """Of a field of this section."""
        return f"{self._path}.{name}" if self._path else name

    def section(self, name: str) -> Section:
        """An object, empty where there is none."""
        return Section(self._found(name, {}), self.path(name))

    def sections(self, name: str) -> list[Section]:
        """A list of objects, empty where there is none."""
        found = _checked(self._found(name, []), list, self.path(name))
        return [Section(each, f"{self.path(name)}[{n}]") for n, each in enumerate(found)]

    def text(self, name: str, default: str | None = None) -> str:
        """Raises OciProblem where it is missing and has no default."""
        text: str = _checked(self._found(name, default), str, self.path(name))
        return text

    def texts(self, name: str) -> list[str]:
        """A list of strings, empty where there is none."""
        return self._each(name, str)

    def number(self, name: str, default: int | None = None) -> int:
        """Raises OciProblem where it is missing and has no default."""
        number: int = _checked(self._found(name, default), int, self.path(name))
        return number

    def numbers(self, name: str) -> list[int]:
        """A list of numbers, empty where there is none."""
        return self._each(name, int)

    def flag(self, name: str) -> bool:
        """False where it is missing."""
        flag: bool = _checked(self._found(name, False), bool, self.path(name))
        return flag

    def plain(self, name: str, kind: type, default: object) -> Any:
        """A value that is handed on as it is."""
        return _checked(self._found(name, default), kind, self.path(name))

    def _each(self, name: str, kind: type) -> list[Any]:
        found = _checked(self._found(name, []), list, self.path(name))
        return [_checked(each, kind, f"{self.path(name)}[{n}]") for n, each in enumerate(found)]

    def _found(self, name: str, default: object) -> object:
        found = self._value.get(name)
        if found is not None:
            return found
        if default is None:
            raise OciProblem(f"config.json: {self.path(name)} is missing", code="invalid-config")
        return default


def read_section(path: str | int, name: str = "") -> Section:
    """The object in a JSON file. name: of what it is a part of, as in Section.

    Raises OciProblem where it is none, OSError.
    """
    import json

    try:
        with open(path, encoding="utf-8") as file:
            return Section(json.load(file), name)
    except (ValueError, RecursionError) as error:
        where = path if isinstance(path, str) else "stdin"
        raise OciProblem(f"{where}: {error}", code="invalid-config") from None


def _checked(value: object, kind: type, path: str) -> Any:
    right = isinstance(value, kind) and not (kind is int and isinstance(value, bool))
    if not right:
        raise OciProblem(f"config.json: {path} is not {_NAMES[kind]}", code="invalid-config")
    return value
