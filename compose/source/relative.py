"""Relative paths of a document made absolute (compose-file.md 17).

Before anything is merged: each file's paths start from a directory of its own.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from compose.source.expand import expand_mount
from compose.source.paths import PathTable, below, each
from compose.source.remote import is_remote
from compose.source.tree import Map, Mark, Path, Seq, Value, dotted

if TYPE_CHECKING:
    from collections.abc import Callable

    from compose.source.scope import Scope

_DRIVE = re.compile(r"[A-Za-z]:[\\/]")
_WINDOWS = re.compile(r"[A-Za-z]:[\\/]|\\\\")

Notices = list[tuple[str, str, str]]


def resolve_paths(document: Map, scope: Scope, notices: Notices) -> None:
    """Make the relative paths of `document`, which is in one form, absolute, in place.

    Short mounts become mappings on the way, `notices` being told of what is dropped from them;
    those that cannot be understood stay as they are.
    """
    _Resolver(scope, notices).visit(document, ())


class _Resolver:
    def __init__(self, scope: Scope, notices: Notices) -> None:
        self._scope, self._notices = scope, notices

    def visit(self, value: Value, path: Path) -> None:
        if isinstance(value, Map):
            for key in list(value):
                inner = (*path, key)
                value[key] = self._resolved(value[key], inner)
                self.visit(value[key], inner)
        elif isinstance(value, Seq):
            for index, (item, mark) in enumerate(list(value.items())):
                inner = (*path, index)
                if isinstance(item, str) and _is_mount(inner):
                    value[index] = self._mount(item, mark, inner)
                else:
                    value[index] = self._resolved(item, inner)
                self.visit(value[index], inner)

    def _resolved(self, value: Value, path: Path) -> Value:
        resolve = _RESOLVED.find(path) if self._scope.paths else _READ.find(path)
        return value if resolve is None else resolve(self, value)

    def path(self, value: Value) -> Value:
        """A path, but not one of Windows or one that begins with a variable."""
        if not isinstance(value, str) or not value:
            return value
        if value.startswith("/") or _WINDOWS.match(value):
            return value
        if not self._scope.variables and value.startswith("$"):
            return value
        return self._scope.absolute(value)

    def place(self, value: Value) -> Value:
        """A path, a URL, or another service."""
        if isinstance(value, str) and (is_remote(value) or value.startswith("service:")):
            return value
        return self.path(value)

    def followed(self, value: Value) -> Value:
        """A path, its symbolic links resolved."""
        if isinstance(value, str) and not value.strip():
            return value  # not the project itself: it is refused later
        absolute = self.path(value)
        if not isinstance(absolute, str) or not absolute:
            return absolute
        return self._scope.environment.surroundings.followed(absolute)

    def mount(self, value: Value) -> Value:
        """The source of a bind mount in long form."""
        if isinstance(value, Map) and value.get("type") == "bind" and "source" in value:
            value["source"] = self.path(self._converted(value["source"]))
        return value

    def _converted(self, value: Value) -> Value:
        r"""Where that is asked for, `C:\x` as `/c/x`: where Windows' Linux mounts its drives."""
        if not isinstance(value, str) or not _DRIVE.match(value):
            return value
        if not self._scope.environment.is_on("COMPOSE_CONVERT_WINDOWS_PATHS"):
            return value
        rest = value[2:].replace("\\", "/")
        return f"/{value[0].lower()}{rest}"

    def _mount(self, text: str, mark: Mark, path: Path) -> Value:
        """A short mount as a mapping with an absolute source."""
        if not self._scope.variables and "$" in text:
            return text
        try:
            mapping, unknown = expand_mount(text, mark)
        except ValueError:
            return text
        for option in unknown:
            what = f"`{dotted(path[:-1])}`: `{option}` in `{text}` has no effect"
            self._notices.append(("no-effect", what, str(mark)))
        return self.mount(mapping) if self._scope.paths else mapping

    def volume(self, value: Value) -> Value:
        """The device of a volume that is a directory of the host."""
        options = value.get("driver_opts") if isinstance(value, Map) else None
        if isinstance(value, Map) and value.get("driver") == "local" and isinstance(options, Map):
            words = str(options.get("o") or "").split(",")
            if "bind" in words and "device" in options:
                options["device"] = self.path(options["device"])
        return value


def _is_mount(path: Path) -> bool:
    """Whether it is an item of a service's `volumes`, and not one of an extension's."""
    return len(path) == 4 and path[0] == "services" and path[2] == "volumes"


_OF_READ: dict[str, Callable[[_Resolver, Value], Value]] = {
    "services.*.extends.file": _Resolver.place
}
_READ = PathTable(_OF_READ)
_RESOLVED: PathTable[Callable[[_Resolver, Value], Value]] = PathTable(
    {
        **_OF_READ,
        "services.*.build.context": _Resolver.place,
        "services.*.build.additional_contexts.*": _Resolver.place,
        "services.*.build.ssh.*": _Resolver.path,
        "services.*.develop.watch.[].path": _Resolver.followed,
        "services.*.volumes.[]": _Resolver.mount,
        **each(below("services.*", "env_file.[] env_file.[].path label_file.[]"), _Resolver.path),
        "volumes.*": _Resolver.volume,
        **each(["configs.*.file", "secrets.*.file"], _Resolver.path),
    }
)
