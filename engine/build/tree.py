"""Files below a root, found without leaving it: what a COPY takes, and what a cache key sees.

Standard library alone: the copying child imports this.
"""

from __future__ import annotations

import errno
import itertools
import os
import re
import stat

from engine.build.ignore import Ignore, clean
from engine.build.patterns import has_wildcard, translate
from engine.kernel.openat2 import open_in_root, stat_in_root

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

KEPT_XATTRS = ("security.capability", "user.")  # that copies have, too
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_EVERYTHING = Ignore(())


class NotFoundInRoot(Exception):
    """A source that is not there, or is excluded. `rule` is the pattern and line that did it."""

    def __init__(self, source: str, rule: tuple[str, int] | None = None) -> None:
        super().__init__(source)
        self.source, self.rule = source, rule


class Found:
    """One thing that a source names.

    asked    the path that was asked for; "" is the root itself
    path     the same with symlinks resolved
    info     os.stat_result of it, never a symlink
    include  of a directory, patterns on paths from it of what alone counts; None: all
    """

    __slots__ = ("asked", "include", "info", "path")

    def __init__(
        self, asked: str, path: str, info: os.stat_result, include: Ignore | None = None
    ) -> None:
        self.asked, self.path, self.info, self.include = asked, path, info, include

    @property
    def name(self) -> str:
        """What it is called in a directory target."""
        return self.asked.rsplit("/", 1)[-1]


class Entry:
    """A file, directory or link below something found; `relative` is "" for that itself."""

    __slots__ = ("_directory", "_name", "info", "path", "relative")

    def __init__(
        self, path: str, relative: str, info: os.stat_result, directory: int, name: str
    ) -> None:
        self.path, self.relative, self.info = path, relative, info
        self._directory, self._name = directory, name

    def open(self) -> int:
        """A descriptor to read a regular file by. While the walk is at it, as is `read_link`."""
        return os.open(self._name, _FILE, dir_fd=self._directory)

    def read_link(self) -> str:
        """What a symlink leads to."""
        return os.readlink(self._name, dir_fd=self._directory)


def find_source(root: int, source: str, ignore: Ignore = _EVERYTHING) -> list[Found]:
    """What a source of COPY names: itself, or all that its wildcards match, sorted.

    Raises NotFoundInRoot for a source without wildcards that is not there.
    """
    source = clean(source)
    if source == ".":
        return [_found(root, "")]
    if has_wildcard(source):
        return [_found(root, path) for path in _matching(root, source, ignore)]
    verdict = ignore.verdict(source)
    if verdict.excluded and not ignore.may_keep_below(source):
        raise NotFoundInRoot(source, ignore.reason(verdict))
    return [_found(root, source)]


def find_with_parents(root: int, source: str, ignore: Ignore = _EVERYTHING) -> list[Found]:
    """What a source of COPY --parents names: the directory up to its `/./` (or the root), of which
    what comes after that counts, with the directories on the way to it.

    Raises NotFoundInRoot for a source without wildcards that is not there.
    """
    pivot, dot, pattern = source.partition("/./")
    if not dot:
        pivot, pattern = "", source
    pattern = clean(pattern)
    if not has_wildcard(source):
        find_source(root, f"{pivot}/{pattern}", ignore)
    tops = find_source(root, pivot, ignore)
    if pattern != ".":
        for top in tops:
            top.include = Ignore([("**", 0), (f"!{pattern}", 0)])
    return tops


class Selection:
    """What of a tree counts.

    ignore   patterns on paths from the root: a .dockerignore
    exclude  patterns on paths from the source: --exclude
    """

    __slots__ = ("exclude", "ignore")

    def __init__(self, ignore: Ignore = _EVERYTHING, exclude: Ignore = _EVERYTHING) -> None:
        self.ignore, self.exclude = ignore, exclude

    def walk(self, root: int, top: Found) -> Iterator[Entry]:
        """The thing itself and all below it that counts, parents first, sorted by name."""
        entries = _walk(root, top, self.ignore)
        if top.include is not None:
            entries = _included(entries, top.include)
        for entry in entries:
            if not self.exclude or not self.exclude.excludes(entry.relative or top.name):
                yield entry


def _included(entries: Iterator[Entry], include: Ignore) -> Iterator[Entry]:
    """Those that are included, and the directories that hold them."""
    above: list[Entry] = []  # directories that count if something in them does
    for entry in entries:
        while above and not entry.relative.startswith(f"{above[-1].relative}/"):
            above.pop()
        if not entry.relative or not include.excludes(entry.relative):
            yield from above
            above.clear()
            yield entry
        elif stat.S_ISDIR(entry.info.st_mode) and include.may_keep_below(entry.relative):
            above.append(entry)


def _walk(root: int, top: Found, ignore: Ignore) -> Iterator[Entry]:
    parent, _, name = top.path.rpartition("/")
    above = open_in_root(root, os.fsencode(parent or "."), os.O_PATH | os.O_DIRECTORY)
    try:
        yield Entry(top.path, "", top.info, above, name or ".")
        if stat.S_ISDIR(top.info.st_mode):
            yield from _inside(above, name or ".", top.path, "", ignore)
    finally:
        os.close(above)


def _inside(above: int, name: str, path: str, relative: str, ignore: Ignore) -> Iterator[Entry]:
    """What is in the directory `name` of the descriptor `above`."""
    fd = os.open(name, _DIRECTORY, dir_fd=above)
    try:
        yield from _below(fd, path, relative, ignore)
    finally:
        os.close(fd)


def _below(fd: int, path: str, relative: str, ignore: Ignore) -> Iterator[Entry]:
    above = ignore.verdict(path) if path else None
    before = f"{path}/" if path else ""
    before_relative = f"{relative}/" if relative else ""
    for name in sorted(os.listdir(fd)):
        child = before + name
        verdict = ignore.judge(child, above)
        try:
            info = os.stat(name, dir_fd=fd, follow_symlinks=False)
        except FileNotFoundError:  # it has gone since: an editor's
            continue
        is_directory = stat.S_ISDIR(info.st_mode)
        if verdict.excluded and not (is_directory and ignore.may_keep_below(child)):
            continue
        entry = Entry(child, before_relative + name, info, fd, name)
        if not is_directory:
            yield entry
            continue
        inside = _inside(fd, name, child, entry.relative, ignore)
        if verdict.excluded:  # only there to hold what a `!pattern` brings back
            first = next(inside, None)
            if first is None:
                continue
            inside = itertools.chain((first,), inside)
        yield entry
        yield from inside


def _found(root: int, asked: str) -> Found:
    try:
        fd = open_in_root(root, os.fsencode(asked or "."), os.O_PATH)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
            raise NotFoundInRoot(asked) from None
        raise
    try:
        info = os.fstat(fd)
        return Found(asked, _path_of(fd, root), info)
    finally:
        os.close(fd)


def _path_of(fd: int, root: int) -> str:
    """The path of a descriptor relative to `root`, as the kernel knows it."""
    own, top = (os.readlink(f"/proc/self/fd/{number}") for number in (fd, root))
    return own[len(top.rstrip("/")) + 1 :]


def _matching(root: int, pattern: str, ignore: Ignore) -> list[str]:
    """Paths that a pattern matches, component by component. Directories that are symlinks count
    before the first wildcard alone."""
    paths, parts, wild = [""], pattern.split("/"), False
    for part in parts:
        if wild:
            paths = [path for path in paths if _is_directory(root, path)]
        wild = wild or has_wildcard(part)
        paths = [
            f"{path}/{name}" if path else name
            for path in paths
            for name in (_names_like(root, path, part) if has_wildcard(part) else [part])
        ]
    return [path for path in paths if _exists(root, path) and _counts(root, path, ignore)]


def _counts(root: int, path: str, ignore: Ignore) -> bool:
    """Whether it is not excluded, or something in it is not."""
    if not ignore.excludes(path):
        return True
    if not ignore.may_keep_below(path) or not _is_directory(root, path):
        return False
    entries = _walk(root, _found(root, path), ignore)
    return any(entry.relative for entry in entries)


def _is_directory(root: int, path: str) -> bool:
    """Whether it is one itself, and no symlink to one."""
    try:
        return stat.S_ISDIR(stat_in_root(root, os.fsencode(path), os.O_NOFOLLOW).st_mode)
    except OSError:
        return False


def _names_like(root: int, directory: str, part: str) -> list[str]:
    matches = re.compile(translate(part), re.DOTALL).fullmatch
    try:
        fd = open_in_root(root, os.fsencode(directory or "."), os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return []
    try:
        return sorted(name for name in os.listdir(fd) if matches(name))
    finally:
        os.close(fd)


def _exists(root: int, path: str) -> bool:
    try:
        stat_in_root(root, os.fsencode(path))
    except OSError:
        return False
    return True
