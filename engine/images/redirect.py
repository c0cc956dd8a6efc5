"""What a layer puts below a directory that is a symbolic link in the layers under it.

Merged `/usr` is the reason: where a lower layer has `lib -> usr/lib`, an archive with `lib/a` alone
means `usr/lib/a`. A layer is unpacked by itself, and there `lib` becomes a directory, which would
hide the link; so what is in it is moved to where the link leads.
"""

from __future__ import annotations

import dataclasses
import functools
import os
import stat
from typing import TYPE_CHECKING

from engine.errors import ImageProblem
from engine.images.lowers import is_hidden, mode_of, opened_beneath, read_link, without_links
from engine.images.members import components
from engine.kernel.removal import remove_tree

if TYPE_CHECKING:
    from engine.images.lowers import Lowers
    from engine.images.unpack import Unpacked

_DEEPEST = 200  # directories that are merged hold two descriptors each


def redirect(root: int, unpacked: Unpacked, lowers: Lowers, subject: str) -> Unpacked:
    """Move what goes elsewhere, in the layer at `root`; what came of the layer then.

    A directory that a member describes is no link: it replaces one. Raises ImageProblem on links
    that lead in circles, or to what is no directory in the layer.
    """
    layer = _Layer(root, unpacked, lowers, subject)
    for path in sorted(unpacked.implied):
        layer.follow(path)
    if not layer.moved:
        return unpacked
    return dataclasses.replace(
        unpacked,
        opaque=tuple(map(layer.now, unpacked.opaque)),
        whiteouts=tuple(map(layer.now, unpacked.whiteouts)),
        implied=tuple(sorted(layer.implied)),
        links=tuple((layer.now(path), target) for path, target in unpacked.links),
    )


class _Layer:
    """moved    directories, and where what was in them is now, in the order of moving
    implied  directories that no member describes
    """

    def __init__(self, root: int, unpacked: Unpacked, lowers: Lowers, subject: str) -> None:
        self._root = root
        self._opaque = frozenset(unpacked.opaque)
        self._lower_link = functools.cache(lowers.find_link)
        self._subject = subject
        self._real_ones: set[bytes] = set()  # directories that no link leads to
        self.moved: list[tuple[bytes, bytes]] = []
        self.implied = set(unpacked.implied)

    def now(self, path: bytes) -> bytes:
        """Where that which was at `path` is."""
        for old, new in self.moved:
            if path == old or path.startswith(old + b"/"):
                path = new + path[len(old) :]
        return path

    def follow(self, path: bytes) -> None:
        """Move what an implied directory holds, if a link is below it."""
        path = self.now(path)
        if path not in self.implied:  # it was put into one that a member describes
            return
        real = self._real(path)
        if real != path:
            self._make(real)
            self._merge(path, real)
            self.moved.append((path, real))

    def _real(self, path: bytes) -> bytes:
        """`path` without the links that lead to it."""
        real = without_links(path, self._find_link)
        if real is None:
            raise self._problem(path, "which leads in circles")
        return real

    def _find_link(self, path: bytes) -> bytes | None:
        if path in self._real_ones:
            return None
        link = self._look(path)
        if link is None:
            self._real_ones.add(path)
        return link

    def _look(self, path: bytes) -> bytes | None:
        mode = mode_of(self._root, path)
        if stat.S_ISLNK(mode):
            return read_link(self._root, path)
        if (mode and path not in self.implied) or is_hidden(path, self._opaque):
            return None
        return self._lower_link(path)

    def _make(self, path: bytes) -> None:
        """A directory of the layer, with its parents."""
        here = b""
        for part in components(path):
            parent, here = here, here + b"/" + part
            mode = mode_of(self._root, here)
            if mode and not stat.S_ISDIR(mode):
                raise self._problem(path, "which is no directory")
            if not mode:
                with opened_beneath(self._root, parent) as fd:
                    os.mkdir(part, 0o755, dir_fd=fd)
                self.implied.add(here)

    def _merge(self, old: bytes, new: bytes) -> None:
        """All of one directory into another. What a member put there by its own name stays."""
        if len(components(new)) > _DEEPEST:
            raise self._problem(old, "which leads too deep")
        self.implied.discard(old)
        with opened_beneath(self._root, old) as source, opened_beneath(self._root, new) as target:
            times = os.fstat(target)
            for name in os.listdir(source):
                self._move(os.fsencode(name), old, new, source, target)
            os.utime(target, ns=(times.st_atime_ns, times.st_mtime_ns))
        parent, _, last = old.rpartition(b"/")
        with opened_beneath(self._root, parent) as fd:
            remove_tree(last, dir_fd=fd)

    def _move(self, name: bytes, old: bytes, new: bytes, source: int, target: int) -> None:
        was, becomes = old + b"/" + name, new.rstrip(b"/") + b"/" + name
        there, is_directory = mode_of(target, name), stat.S_ISDIR(mode_of(source, name))
        if not there:
            os.rename(name, name, src_dir_fd=source, dst_dir_fd=target)
            if is_directory:
                self._rename_implied(was, becomes)
        elif stat.S_ISDIR(there) and is_directory:
            self._merge(was, becomes)

    def _rename_implied(self, old: bytes, new: bytes) -> None:
        below = old + b"/"
        for path in [p for p in self.implied if p == old or p.startswith(below)]:
            self.implied.remove(path)
            self.implied.add(new + path[len(old) :])

    def _problem(self, path: bytes, why: str) -> ImageProblem:
        shown = path.decode(errors="backslashreplace")
        return ImageProblem(f"{self._subject} puts files in {shown!r}, {why}", code="invalid-layer")
