"""The root filesystem of a container: its image's layers under a directory of its own."""

from __future__ import annotations

import errno
import os

from engine.kernel import mounts

# Copied-up files must be whole: redirects and metacopies could not be read back as a layer.
_WHOLE = (("redirect_dir", "off"), ("metacopy", "off"), ("index", "off"))
_VALUE_LIMIT = 255  # fsconfig(2)


def mount_overlay(target: str, lowers: list[str], upper: str = "", work: str = "") -> None:
    """Mount `lowers` (top first) under `upper` at `target`; without one, two or more, to read.

    A layer per fsconfig call where the kernel knows `lowerdir+` (6.8), else one string of at most
    a page for mount(2), which the kernel would cut in silence: OSError E2BIG instead.
    """
    above = [("upperdir", upper), ("workdir", work)] if upper else []
    options = [("source", "overlay"), *(("lowerdir+", path) for path in lowers), *above, *_WHOLE]
    if all(len(os.fsencode(value)) <= _VALUE_LIMIT for _, value in options):
        try:
            tree_fd = mounts.filesystem("overlay", options)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.ENOSYS):
                raise
        else:
            _move(tree_fd, target)
            return
    _mount_classic(target, lowers, [*above, *_WHOLE])


def mount_layers(target: str, layers: list[str]) -> str:
    """Where the content of `layers` (top first) is seen, to read: a single one as it is, several
    mounted at `target`, in the caller's mount namespace."""
    if len(layers) == 1:
        return layers[0]
    mount_overlay(target, layers)
    return target


def _move(tree_fd: int, target: str) -> None:
    target_fd = os.open(target, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        mounts.move_mount(tree_fd, target_fd)
    finally:
        os.close(target_fd)
        os.close(tree_fd)


def _mount_classic(target: str, lowers: list[str], options: list[tuple[str, str]]) -> None:
    """With the layers' names relative to their directory, to fit more of them in a page."""
    base = os.path.dirname(lowers[0])
    names = [os.path.basename(p) if os.path.dirname(p) == base else p for p in lowers]
    escaped = ":".join(name.replace("\\", "\\\\").replace(":", "\\:") for name in names)
    data = ",".join([f"lowerdir={escaped}", *(f"{key}={value}" for key, value in options)])
    if len(os.fsencode(data)) >= os.sysconf("SC_PAGE_SIZE") - 1:
        raise OSError(errno.E2BIG, f"{len(lowers)} layers do not fit in one mount(2)", target)
    before = os.open(".", os.O_PATH | os.O_CLOEXEC)
    os.chdir(base)
    try:
        mounts.mount("overlay", target, "overlay", 0, data)
    finally:
        os.fchdir(before)
        os.close(before)
