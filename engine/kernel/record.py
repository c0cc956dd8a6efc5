"""Frozen, slotted, keyword-only data classes that cost nothing to import.

Importing `dataclasses` takes 7 ms, and it compiles 0.7 ms of code for each class: with some forty
of them, `ps` would spend more time on that than on looking at containers.
Type checkers see a Record as a frozen, keyword-only dataclass (PEP 681).
"""

from __future__ import annotations

TYPE_CHECKING = False  # `typing` takes 3 ms
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, ClassVar, Self, dataclass_transform
else:

    def dataclass_transform(**_: object):
        return lambda decorated: decorated


@dataclass_transform(kw_only_default=True, frozen_default=True)
class RecordType(type):
    """Makes the annotated names of a class its slots, and their class values the defaults. Those of
    its base come before them.

    The module of a record needs `from __future__ import annotations`: the annotations are not
    evaluated, only listed. A default is shared by all instances and must not be changed.
    """

    def __new__(cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any]) -> RecordType:
        own = tuple(namespace.get("__annotations__", ()))
        defaults = {field: namespace.pop(field) for field in own if field in namespace}
        if bases:
            fields = (*getattr(bases[0], "_fields", ()), *own)
            defaults = {**getattr(bases[0], "_defaults", {}), **defaults}
            namespace |= {"__slots__": own, "_fields": fields, "_defaults": defaults}
        return super().__new__(cls, name, bases, namespace)


class Record(metaclass=RecordType):
    """Base of data classes: compared by value, printed as it is written."""

    __slots__ = ()
    if TYPE_CHECKING:
        _fields: ClassVar[tuple[str, ...]]
        _defaults: ClassVar[Mapping[str, Any]]

    def __init__(self, **values: object) -> None:
        cls = type(self)
        given = {**cls._defaults, **values}
        if len(given) != len(cls._fields) or not given.keys() >= set(cls._fields):
            wrong = sorted(set(cls._fields) ^ given.keys())
            raise TypeError(f"{cls.__name__}: missing or unexpected: {', '.join(wrong)}")
        for field in cls._fields:
            object.__setattr__(self, field, given[field])

    @classmethod
    def field_names(cls) -> tuple[str, ...]:
        """The names of the fields, in the order of the class."""
        return cls._fields

    def replace(self, **changes: Any) -> Self:
        """A copy that differs in `changes`."""
        return type(self)(**{**self.values(), **changes})

    def values(self) -> dict[str, Any]:
        """Field names with their values, in the order of the class."""
        return {field: getattr(self, field) for field in type(self)._fields}

    def plain(self) -> dict[str, Any]:
        """As `values`, and so for the records within: what JSON can hold, as far as they can."""
        return {field: _plain(value) for field, value in self.values().items()}

    def given(self) -> dict[str, Any]:
        """The fields that are not at their defaults."""
        defaults = type(self)._defaults
        return {
            field: value
            for field, value in self.values().items()
            if field not in defaults or defaults[field] != value
        }

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen: {name} cannot be set")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen: {name} cannot be removed")

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return all(getattr(self, field) == getattr(other, field) for field in type(self)._fields)

    def __hash__(self) -> int:
        return hash((type(self), *(getattr(self, field) for field in type(self)._fields)))

    def __repr__(self) -> str:
        shown = ", ".join(f"{field}={value!r}" for field, value in self.given().items())
        return f"{type(self).__name__}({shown})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (type(self), self.values())


def _plain(value: object) -> object:
    if isinstance(value, Record):
        return value.plain()
    if isinstance(value, tuple):
        return tuple(map(_plain, value))
    return value


def _restore(cls: type[Record], values: dict[str, Any]) -> Record:
    return cls(**values)
