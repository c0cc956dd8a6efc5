"""YAML text in, trees with positions out.

Works on the events of ruamel.yaml's parser, so that anchors, merge keys, duplicate keys and scalar
types follow the rules of Compose rather than those of a YAML library.
"""

from __future__ import annotations

import re
from binascii import a2b_base64
from typing import TYPE_CHECKING, Any, NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from compose.errors import DuplicateKey, InvalidValue, KeyNotString, YamlSyntax, nearest
from compose.source.scalars import resolve
from compose.source.tree import Map, Mark, Scalar, Seq, Value, copy, size

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_NODES = 100_000  # of one file, aliases written out: stops "billion laughs" files
MAX_DEPTH = 100
MAX_LENGTH = 1_000_000  # characters of a file
_TOO_DEEP = f"lists and mappings are nested more than {MAX_DEPTH} deep"
_DEEP = re.compile(rf"[\[{{]{{{MAX_DEPTH + 1}}}")
TAGS = ("!reset", "!override")
_STANDARD = "tag:yaml.org,2002:"


class _Meant(NamedTuple):
    """What a complaint of the library means in plain words."""

    part: str  # of the complaint
    what: str = ""  # empty: as the library says it
    hint: str | None = None
    at_start: bool = False  # it is about where the construct begins, not where reading failed


_MEANT = (
    _Meant("\\t", "a tab where there can be none", "YAML is indented with spaces"),
    _Meant(
        "mapping values are not allowed",
        "a `:` where there can be none",
        "is the line above indented as this one? a value with `: ` in it needs quotes",
    ),
    _Meant(
        "cannot start any token",
        "a value cannot begin with this character",
        "write the value in quotes",
    ),
    _Meant(
        "expected <block end>",
        "this does not belong to the block that it stands in",
        "it is not indented as the lines of its block, or a list and a mapping are mixed",
    ),
    _Meant("expected ',' or ']'", "the `[` that begins here is not closed", None, at_start=True),
    _Meant("expected ',' or '}'", "the `{` that begins here is not closed", None, at_start=True),
    _Meant("end of stream", "the quote that begins here is not closed", None, at_start=True),
    _Meant("could not find expected ':'", "", "is there a `:` and a blank after the key?"),
)


def parse_documents(text: str, file: str) -> list[Map]:
    """The documents of a file, each a mapping. Empty documents are left out.

    file   how positions name it

    Raises YamlSyntax, DuplicateKey, KeyNotString, InvalidValue (a top level that is no mapping).
    """
    if len(text) > MAX_LENGTH:
        what = f"the file has {len(text)} characters, more than {MAX_LENGTH}"
        raise YamlSyntax(what, where=file, hint="what is long can stand in files of its own")
    text = text.removeprefix("\ufeff")
    if deep := _DEEP.search(text):  # the parser in Python takes a time that grows with its square
        line = text.count("\n", 0, deep.start()) + 1
        raise YamlSyntax(_TOO_DEEP, where=f"{file}:{line}")
    try:
        return read_text(text, file, pure=False)
    except (YAMLError, UnicodeError):
        pass  # it was the parser in C, where that is installed: what counts is the one in Python
    try:
        return read_text(text, file, pure=True)
    except MarkedYAMLError as error:
        raise _syntax(error, file) from None
    except YAMLError as error:
        raise YamlSyntax(str(error).partition("\n")[0], where=file) from None


def read_text(text: str, file: str, *, pure: bool) -> list[Map]:
    """As `parse_documents`, with the parser in Python where `pure`, else with that in C where it
    is installed: five to ten times as fast. Complaints are the library's."""
    events = YAML(typ="safe", pure=pure).parse(text)
    reader = _Reader(events, file)
    documents = (reader.document() for event in events if isinstance(event, DocumentStartEvent))
    return [document for document in documents if document is not None]


def _syntax(error: MarkedYAMLError, file: str) -> YamlSyntax:
    """The library's complaint at its place, with what is usually meant by it."""
    mark = error.problem_mark or error.context_mark
    said = " ".join(str(part) for part in (error.problem, error.context) if part)
    meant = next((meant for meant in _MEANT if meant.part in said), _Meant(""))
    if meant.at_start and error.context_mark is not None:
        mark = error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    return YamlSyntax(meant.what or said, where=str(Mark(file, line, column)), hint=meant.hint)


class _Reader:
    """Builds the trees of a file's documents from its events.

    Anchors are known in the documents after theirs too, as with the reference.
    """

    def __init__(self, events: Iterator[Event], file: str) -> None:
        self._events = events
        self._file = file
        self._anchors: dict[str, Value] = {}
        self._tags: dict[str, str | None] = {}  # by anchor: what is tagged is so by each alias
        self._open: set[str] = set()  # anchors whose node is not complete
        self._nodes = 0
        self._depth = 0

    def document(self) -> Map | None:
        """The document that has just begun; None for an empty one."""
        event = next(self._events)
        value = self._value(event)
        if value is not None and not isinstance(value, Map):
            where = str(self._mark(event))
            raise InvalidValue("the top level of a project file must be a mapping", where=where)
        return value

    def _mark(self, event: Event) -> Mark:
        return Mark(self._file, event.start_mark.line + 1, event.start_mark.column + 1)

    def _value(self, event: Event) -> Value:
        if isinstance(event, AliasEvent):
            return self._alias(event)
        anchor: str | None = getattr(event, "anchor", None)
        if anchor:
            self._open.add(anchor)
        self._count(1, event)
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise YamlSyntax(_TOO_DEEP, where=str(self._mark(event)))
        value: Value
        if isinstance(event, MappingStartEvent):
            value = self._mapping(event)
        elif isinstance(event, SequenceStartEvent):
            value = self._sequence(event)
        else:
            assert isinstance(event, ScalarEvent), event
            value = self._scalar(event)
        self._depth -= 1
        if anchor:
            self._open.discard(anchor)
            self._anchors[anchor], self._tags[anchor] = value, self._tag(event)
        return value

    def _alias(self, event: AliasEvent) -> Value:
        name = event.anchor
        where = str(self._mark(event))
        if name in self._open:
            raise YamlSyntax(f"cycle: `*{name}` is inside of `&{name}`", where=where)
        if name not in self._anchors:
            hint = nearest(name, self._anchors)
            raise YamlSyntax(f"there is no anchor `&{name}` above", where=where, hint=hint)
        target = self._anchors[name]
        self._count(size(target), event)
        return copy(target)

    def _count(self, nodes: int, event: Event) -> None:
        self._nodes += nodes
        if self._nodes > MAX_NODES:
            where = str(self._mark(event))
            raise YamlSyntax(f"more than {MAX_NODES} nodes with aliases written out", where=where)

    def _mapping(self, start: MappingStartEvent) -> Map:
        mapping = Map(self._mark(start))
        merged: list[Map] = []
        while not isinstance(event := next(self._events), MappingEndEvent):
            key, key_mark = self._key(event, mapping), self._mark(event)
            following = next(self._events)
            if key == "<<" and isinstance(event, ScalarEvent) and not event.style:
                merged += self._merged(following)
            else:
                self._entry(mapping, key, key_mark, following)
        for base in merged:  # what is explicit wins, then what is earlier in the list
            for key in base.directives.keys() | base.keys():
                if key not in mapping and key not in mapping.directives:
                    _inherit(mapping, key, base)
        return mapping

    def _key(self, event: Event, mapping: Map) -> str:
        where = str(self._mark(event))
        key = self._value(event)
        if not isinstance(key, str):
            shown = "a list or mapping" if isinstance(key, Map | Seq) else f"`{event_text(event)}`"
            raise KeyNotString(f"{shown} is used as a key", where=where, hint="write it in quotes")
        if key in mapping.keys_at:
            first = mapping.keys_at[key].line
            raise DuplicateKey(f"`{key}` is there already, in line {first}", where=where)
        return key

    def _entry(self, mapping: Map, key: str, key_mark: Mark, event: Event) -> None:
        tag = self._tag(event)
        # of a value that is left out, the parser gives the place of what follows
        left_out = isinstance(event, ScalarEvent) and not event.value and not event.style
        mark = key_mark if left_out else self._mark(event)
        value = self._value(event)
        if tag == "!reset":
            mapping.directives[key] = "reset"
            mapping.keys_at[key] = key_mark
            return
        if tag == "!override":
            mapping.directives[key] = "override"
        mapping.put(key, value, mark, key_mark)

    def _merged(self, event: Event) -> list[Map]:
        value = self._value(event)
        bases = list(value) if isinstance(value, Seq) else [value]
        maps = [base for base in bases if isinstance(base, Map)]
        if len(maps) != len(bases):
            where = str(self._mark(event))
            raise YamlSyntax("`<<` merges mappings only", where=where, hint="as `<<: *name`")
        return maps

    def _sequence(self, start: SequenceStartEvent) -> Seq:
        sequence = Seq(self._mark(start))
        while not isinstance(event := next(self._events), SequenceEndEvent):
            tag, mark = self._tag(event), self._mark(event)
            value = self._value(event)
            if tag != "!reset":
                sequence.add(value, mark)
        return sequence

    def _scalar(self, event: ScalarEvent) -> Scalar:
        text: str = event.value
        tag = self._tag(event)
        if tag == f"{_STANDARD}binary":
            return self._decoded(text, event)
        by_tag = tag is not None and tag not in TAGS
        if tag == f"{_STANDARD}str" or (event.style and not by_tag):
            return text
        return resolve(text)

    def _decoded(self, text: str, event: Event) -> str:
        try:
            return a2b_base64(text).decode(errors="surrogateescape")
        except ValueError:
            where = str(self._mark(event))
            raise YamlSyntax("`!!binary` without text in base64", where=where) from None

    def _tag(self, event: Event) -> str | None:
        if isinstance(event, AliasEvent):
            return self._tags.get(event.anchor)
        tag: Any = getattr(event, "tag", None)
        if tag is None or tag == "!":
            return None
        name = str(tag)
        if name not in TAGS and not name.startswith(_STANDARD):
            where = str(self._mark(event))
            raise YamlSyntax(f"unknown tag `{name}`", where=where, hint=nearest(name, TAGS))
        return name


def event_text(event: Event) -> str:
    """A scalar as it was written, for messages."""
    return str(getattr(event, "value", ""))


def _inherit(mapping: Map, key: str, base: Map) -> None:
    if key in base:
        mapping.take(key, base)
    if key in base.directives:
        mapping.directives[key] = base.directives[key]
        mapping.keys_at[key] = base.keys_at[key]
