"""A merged, valid tree brought to its long forms: each key in one shape."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compose.errors import InvalidValue
from compose.source.expand import expand_device, expand_mount, expand_port, mapping_of
from compose.source.forms import HOOKS, HOSTS, KEY_VALUES
from compose.source.paths import PathTable, below, each
from compose.source.shorthand import clean, parse_host
from compose.source.tree import Map, Mark, Path, Seq, Value, dotted
from compose.source.values import text_of
from compose.source.words import split_words

if TYPE_CHECKING:
    from collections.abc import Callable

    from compose.errors import ProjectProblem


MAX_PORTS = 20_000  # of a project, ranges written out


class Canonical:
    """What rewriting a tree came to.

    variables  False: they are still in the text, and texts that have some stay as they are
    problems   short forms that cannot be understood; their nodes are left out of the tree
    notices    (position, sentence) of what was dropped from them
    """

    def __init__(self, tree: Map, *, variables: bool = True) -> None:
        self._variables = variables
        self._port_count = 0
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
            return value if rewrite is None else rewrite(self, value, mark, path)
        except ValueError as error:
            self._refuse(error, mark, path)
            return None

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
                if key != key.rstrip() and path[-1] != "labels":
                    raise ValueError(f"the name `{key}` ends in a blank")
                if isinstance(inner, bool | int | float):
                    value[key] = text_of(inner)
        return value

    def ports(self, value: Value, mark: Mark, path: Path) -> Value:
        """Short ports as mappings, one for each port."""

        def convert(item: Value, at: Mark) -> list[Value]:
            if self._port_count > MAX_PORTS:
                return []  # it has been said
            found = _port(item, at)
            self._port_count += len(found)
            if self._port_count > MAX_PORTS:
                raise ValueError(f"more than {MAX_PORTS} ports are published")
            return found

        return self._each(value, path, convert)

    def mounts(self, value: Value, mark: Mark, path: Path) -> Value:
        """Short mounts as mappings, targets without needless parts."""

        def convert(item: Value, at: Mark) -> list[Value]:
            if isinstance(item, Map):
                target = str(item["target"])
                if self._stays(target) or item.get("type") == "npipe":
                    return [item]
                if not target.startswith("/"):
                    raise ValueError(f"`{target}` is not an absolute path in the container")
                item["target"] = clean(target)
                return [item]
            return [expand_mount(str(item), at)[0]]  # as good as never: `relative` was first

        return self._each(value, path, convert)

    def devices(self, value: Value, mark: Mark, path: Path) -> Value:
        """Short devices as mappings."""

        def convert(item: Value, at: Mark) -> list[Value]:
            return [item if isinstance(item, Map) else expand_device(str(item), at)]

        return self._each(value, path, convert)

    def gpus(self, value: Value, mark: Mark, path: Path) -> Value:
        """`all` as a request for all."""
        if not isinstance(value, str):
            return value
        sequence = Seq(mark)
        sequence.add(mapping_of({"count": value}, mark), mark)
        return sequence

    def sources(self, value: Value, mark: Mark, path: Path) -> Value:
        """Names of secrets and configs as mappings."""

        def convert(item: Value, at: Mark) -> list[Value]:
            return [item if isinstance(item, Map) else mapping_of({"source": item}, at)]

        return self._each(value, path, convert)

    def hosts(self, value: Value, mark: Mark, path: Path) -> Value:
        """Entries of /etc/hosts as `NAME=ADDRESS`, one address each."""

        def convert(item: Value, at: Mark) -> list[Value]:
            return [f"{name}={address}" for name, address in parse_host(str(item))]

        return self._each(value, path, convert)

    def files(self, value: Value, mark: Mark, path: Path) -> Value:
        """Environment files as mappings."""

        def convert(item: Value, at: Mark) -> list[Value]:
            return [item if isinstance(item, Map) else mapping_of({"path": item}, at)]

        return self._each(value, path, convert)

    def _each(
        self, value: Value, path: Path, convert: Callable[[Value, Mark], list[Value]]
    ) -> Value:
        if not isinstance(value, Seq):
            return value
        expanded = Seq(value.mark)
        for index, (item, mark) in enumerate(value.items()):
            if index in value.former:
                expanded.former[len(expanded)] = value.former[index]
            try:
                for result in [item] if self._stays(item) else convert(item, mark):
                    expanded.add(result, mark)
            except ValueError as error:
                self._refuse(error, mark, (*path, index))
        return expanded


def _port(item: Value, mark: Mark) -> list[Value]:
    if isinstance(item, Map):
        return [item]
    text = text_of(item) if isinstance(item, int | float) else str(item)
    return list(expand_port(text, mark))


def _sequence(values: list[str], mark: Mark) -> Seq:
    sequence = Seq(mark)
    for value in values:
        sequence.add(value, mark)
    return sequence


_SERVICE = "services.*"
_OPTIONS = [
    *below(_SERVICE, "logging.options networks.*.driver_opts gpus.[].options storage_opt"),
    "services.*.deploy.resources.reservations.devices.[].options",
    *("networks.*.driver_opts", "networks.*.ipam.options", "volumes.*.driver_opts"),
    *("networks.*.ipam.config.[].aux_addresses", "secrets.*.driver_opts"),
]
_REWRITES: PathTable[Callable[[Canonical, Value, Mark, Path], Value]] = PathTable(
    {
        **each(below(_SERVICE, "command entrypoint"), Canonical.words),
        **each([f"{hook}.command" for hook in HOOKS], Canonical.words),
        **each([*KEY_VALUES, *_OPTIONS], Canonical.texts),
        "services.*.healthcheck.test": Canonical.test,
        "services.*.ports": Canonical.ports,
        "services.*.volumes": Canonical.mounts,
        "services.*.devices": Canonical.devices,
        "services.*.gpus": Canonical.gpus,
        **each(HOSTS, Canonical.hosts),
        **each(below(_SERVICE, "secrets configs build.secrets"), Canonical.sources),
        "services.*.env_file": Canonical.files,
    }
)
