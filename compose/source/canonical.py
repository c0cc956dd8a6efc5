"""A merged, valid tree brought to its long forms: each key in one shape, lists without doubles."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compose.errors import InvalidValue
from compose.source.forms import KEY_VALUES
from compose.source.paths import PathTable, below, each
from compose.source.shorthand import clean, parse_host, parse_mount, parse_port
from compose.source.tree import Map, Mark, Path, Seq, Value, dotted
from compose.source.values import text_of
from compose.source.words import split_words

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from compose.errors import ProjectProblem


class Canonical:
    """What rewriting a tree came to.

    variables  False: they are still in the text, and texts that have some stay as they are
    problems   short forms that cannot be understood; their nodes are left out of the tree
    notices    (position, sentence) of what was dropped from them
    """

    def __init__(self, tree: Map, *, variables: bool = True) -> None:
        self._variables = variables
        self.problems: list[ProjectProblem] = []
        self.notices: list[tuple[Mark, str]] = []
        self._visit(tree, ())

    def _visit(self, value: Value, path: Path) -> None:
        if isinstance(value, Map):
            for key in list(value):
                inner = (*path, key)
                self._visit(value[key], inner)
                value[key] = self._rewritten(value[key], value.values_at[key], inner)
        elif isinstance(value, Seq):
            for index in range(len(value)):
                self._visit(value[index], (*path, index))

    def _rewritten(self, value: Value, mark: Mark, path: Path) -> Value:
        rewrite = None if self._stays(value) else _REWRITES.find(path)
        try:
            value = value if rewrite is None else rewrite(self, value, mark, path)
        except ValueError as error:
            self._refuse(error, mark, path)
            return None
        key = _UNIQUE.find(path)
        return value if key is None or not isinstance(value, Seq) else _thinned(value, key)

    def _refuse(self, error: ValueError, mark: Mark, path: Path) -> None:
        self.problems.append(InvalidValue(f"{dotted(path)}: {error}", where=str(mark)))

    def _stays(self, value: Value) -> bool:
        return not self._variables and isinstance(value, str) and "$" in value

    def words(self, value: Value, mark: Mark, path: Path) -> Value:
        """The string form of a command as a list."""
        if not isinstance(value, str):
            return value
        words, dropped = split_words(value)
        if dropped:
            text = f"`{dotted(path)}`: no shell reads this, `{dropped}` is dropped"
            self.notices.append((mark, text))
        return _sequence(words, mark)

    def test(self, value: Value, mark: Mark, path: Path) -> Value:
        """The string form of a health check as a list."""
        return _sequence(["CMD-SHELL", value], mark) if isinstance(value, str) else value

    def texts(self, value: Value, mark: Mark, path: Path) -> Value:
        """The values of a key-value mapping as text."""
        if isinstance(value, Map):
            for key, inner in value.items():
                if key != key.rstrip():
                    raise ValueError(f"the name `{key}` ends in a blank")
                if isinstance(inner, bool | int | float):
                    value[key] = text_of(inner)
        return value

    def ports(self, value: Value, mark: Mark, path: Path) -> Value:
        """Short ports as mappings, one for each port."""
        return self._each(value, path, _port)

    def mounts(self, value: Value, mark: Mark, path: Path) -> Value:
        """Short mounts as mappings, targets without needless parts."""

        def convert(item: Value, at: Mark) -> list[Value]:
            if isinstance(item, Map):
                target = str(item["target"])
                if self._stays(target):
                    return [item]
                if not target.startswith("/"):
                    raise ValueError(f"`{target}` is not an absolute path in the container")
                item["target"] = clean(target)
                return [item]
            return [self._mount(str(item), at, path)]

        return self._each(value, path, convert)

    def _mount(self, text: str, mark: Mark, path: Path) -> Map:
        short = parse_mount(text)
        for option in short.unknown:
            self.notices.append((mark, f"`{dotted(path)}`: `{option}` in `{text}` has no effect"))
        mapping = Map(mark)
        mapping.put("type", short.type, mark)
        if short.source:
            mapping.put("source", short.source, mark)
        mapping.put("target", short.target, mark)
        if short.read_only:
            mapping.put("read_only", value=True, mark=mark)
        if short.type == "bind":
            bind = _mapping({"propagation": short.propagation, "selinux": short.selinux}, mark)
            mapping.put("bind", bind, mark)
        elif short.nocopy:
            mapping.put("volume", _mapping({"nocopy": True}, mark), mark)
        return mapping

    def hosts(self, value: Value, mark: Mark, path: Path) -> Value:
        """Entries of /etc/hosts as `NAME=ADDRESS`, one address each."""

        def convert(item: Value, at: Mark) -> list[Value]:
            return [f"{name}={address}" for name, address in parse_host(str(item))]

        return self._each(value, path, convert)

    def files(self, value: Value, mark: Mark, path: Path) -> Value:
        """Environment files as mappings."""

        def convert(item: Value, at: Mark) -> list[Value]:
            return [item if isinstance(item, Map) else _mapping({"path": item}, at)]

        return self._each(value, path, convert)

    def _each(
        self, value: Value, path: Path, convert: Callable[[Value, Mark], list[Value]]
    ) -> Value:
        if not isinstance(value, Seq):
            return value
        expanded = Seq(value.mark)
        for index, (item, mark) in enumerate(value.items()):
            try:
                for result in [item] if self._stays(item) else convert(item, mark):
                    expanded.add(result, mark)
            except ValueError as error:
                self._refuse(error, mark, (*path, index))
        return expanded


def _port(item: Value, mark: Mark) -> list[Value]:
    if isinstance(item, Map):
        return [item]
    ports = parse_port(text_of(item) if isinstance(item, int | float) else str(item))
    return [_mapping(port._asdict(), mark) for port in ports]


def _mapping(values: Mapping[str, Value], mark: Mark) -> Map:
    """A mapping of the values that are not None, all at one position."""
    mapping = Map(mark)
    for key, value in values.items():
        if value is not None:
            mapping.put(key, value, mark)
    return mapping


def _sequence(values: list[str], mark: Mark) -> Seq:
    sequence = Seq(mark)
    for value in values:
        sequence.add(value, mark)
    return sequence


def _thinned(sequence: Seq, key: Callable[[Value], object]) -> Seq:
    """A list in which a later entry replaces an earlier one of the same key, at its position."""
    last: dict[object, tuple[Value, Mark]] = {}
    for value, mark in sequence.items():
        last[key(value)] = value, mark
    thinned = Seq(sequence.mark)
    for value, mark in last.values():
        thinned.add(value, mark)
    return thinned


def _before_equals(value: Value) -> str:
    return str(value).partition("=")[0]


def _port_key(value: Value) -> object:
    if not isinstance(value, Map):
        return id(value)
    published = value.get("published")
    return (
        value.get("host_ip") or "0.0.0.0",
        None if published is None else str(published),
        value["target"],
        value.get("protocol") or "tcp",
    )


def _field(name: str) -> Callable[[Value], object]:
    return lambda value: value.get(name) if isinstance(value, Map) else value


_REWRITES: PathTable[Callable[[Canonical, Value, Mark, Path], Value]] = PathTable(
    {
        **each(below("services.*", "command entrypoint"), Canonical.words),
        **each(KEY_VALUES, Canonical.texts),
        **each(["services.*.logging.options", "networks.*.driver_opts"], Canonical.texts),
        **each(["volumes.*.driver_opts"], Canonical.texts),
        "services.*.healthcheck.test": Canonical.test,
        "services.*.ports": Canonical.ports,
        "services.*.volumes": Canonical.mounts,
        "services.*.extra_hosts": Canonical.hosts,
        "services.*.env_file": Canonical.files,
    }
)
_UNIQUE: PathTable[Callable[[Value], object]] = PathTable(
    {
        **each(below("services.*", "cap_add cap_drop dns dns_opt dns_search"), _before_equals),
        **each(below("services.*", "links profiles tmpfs build.tags"), _before_equals),
        **each(below("services.*", "networks.*.aliases"), _before_equals),
        **each(below("services.*", "expose"), str),
        "services.*.ports": _port_key,
        "services.*.volumes": _field("target"),
        "services.*.env_file": _field("path"),
    }
)
