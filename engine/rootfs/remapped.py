"""Root and binds of a container whose ids are not the host's (engine.md A17).

What is ours (layers, volumes, the files that we write) keeps its ids on the disk: it is mounted
with those of the container's user namespace. That, and to reach paths of the host at all, is for
the host's root: it is done before the container's init gives that up, in a mount namespace that is
thrown away.
"""

from __future__ import annotations

import errno
import os

from engine.kernel import mounts
from engine.kernel.child import open_in_child
from engine.kernel.mountoptions import MountOptions
from engine.kernel.namespaces import CLONE_NEWNS, unshare
from engine.kernel.process import become_for_files
from engine.rootfs.overlay import mount_overlay
from engine.rootfs.sources import open_source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


_REACHABLE = "/sys"  # there on every host, and of no use to init before its own is mounted


def open_remapped(config: dict[str, Any], userns_fd: int) -> None:
    """Give the root and the binds of a launch record their `tree_fd`. Raises OSError.

    The root is then for a directory that everybody can reach: the way to ours is barred to those
    who are not the host's root.
    """
    binds = [
        entry
        for entry in config["mounts"]
        if "tree_fd" not in entry and MountOptions(entry["options"]).is_bind
    ]
    linux = config["linux"]
    root_ids = tuple(linux[f"{kind}Mappings"][0]["hostID"] for kind in ("uid", "gid"))
    workshop = _Workshop(config["root"]["path"], userns_fd, root_ids)
    fds = open_in_child(lambda: workshop.make(config["buoy"]["overlay"], binds))
    config["root"].update(tree_fd=fds[0], path=_REACHABLE)
    for entry, fd in zip(binds, fds[1:], strict=True):
        entry["tree_fd"] = fd


class _Workshop:
    """A mount namespace with an empty filesystem at `path` to put mounts together in."""

    def __init__(self, path: str, userns_fd: int, root_ids: tuple[int, ...]) -> None:
        self._path, self._userns_fd, self._root_ids = path, userns_fd, root_ids
        self._places = 0

    def make(self, overlay: dict[str, Any], binds: list[dict[str, Any]]) -> list[int]:
        """Detached mounts: the root, then each of `binds`."""
        unshare(CLONE_NEWNS)
        mounts.mount("", "/", flags=mounts.MS_PRIVATE | mounts.MS_REC)
        mounts.mount("buoy", self._path, "tmpfs", 0, "mode=700")
        trees = [self._bind(entry) for entry in binds]
        return [self._root(overlay), *trees]

    def _root(self, overlay: dict[str, Any]) -> int:
        own = os.path.dirname(overlay["upper"])  # of upper and work: they must be on one mount
        shown = self._placed(own)
        upper, work = (f"{shown}/{os.path.basename(overlay[key])}" for key in ("upper", "work"))
        target = self._place()
        lowers = [self._placed(layer) for layer in overlay["lowers"]]
        # An overlay works with the ids of who mounts it: 0 of the host has no place in `upper`.
        become_for_files(*self._root_ids)
        mount_overlay(target, lowers, upper, work)
        return mounts.open_tree(target)

    def _bind(self, entry: dict[str, Any]) -> int:
        options = MountOptions(entry["options"])
        if "layers" in entry:
            layers = [self._placed(layer) for layer in entry["layers"]]
            return open_source({**entry, "layers": layers, "source": self._place()}, options)
        fd = open_source(entry, options)
        if entry.get("own"):
            self._remap(fd, entry["source"])
        return fd

    def _placed(self, source: str) -> str:
        """Where a directory is seen with the container's ids."""
        fd = mounts.open_tree(source)
        self._remap(fd, source)
        place = self._place()
        target_fd = os.open(place, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        mounts.move_mount(fd, target_fd)
        os.close(target_fd)
        os.close(fd)
        return place

    def _place(self) -> str:
        self._places += 1
        place = f"{self._path}/{self._places}"
        os.mkdir(place)
        return place

    def _remap(self, fd: int, source: str) -> None:
        try:
            mounts.set_attributes(fd, userns_fd=self._userns_fd)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.EPERM):
                raise
            what = f"the filesystem of {source} cannot be mounted with other ids"
            raise OSError(error.errno, what) from None
