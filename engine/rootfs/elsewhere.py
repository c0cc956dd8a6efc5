"""Volumes whose content is elsewhere: a directory, a device, a server, memory (engine.md A2.11).

As with Docker's `local` driver, the options are those of mount(8): `type`, `device` and `o`. The
place is mounted on the volume's directory while containers run that have the volume.
"""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING

from engine.errors import VolumeProblem
from engine.kernel import mounts
from engine.kernel.mountoptions import MountOptions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.rootfs.volumes import Volume

_NEEDS = {"type": ("device",), "device": ("type",), "o": ("device", "type")}


def check_options(name: str, options: Mapping[str, str]) -> None:
    """Raise VolumeProblem for options that there are not, or that are not enough."""
    for key in options:
        if key == "size":
            raise _problem(name, "option `size` needs quotas, which is not built yet", None)
        if key not in _NEEDS:
            raise _problem(name, f"there is no option `{key}`", "there are type, device and o")
        for needed in _NEEDS[key]:
            if needed not in options:
                hint = "as `type: none`, `device: /srv/data`, `o: bind`"
                raise _problem(name, f"option `{key}` needs `{needed}`", hint)


def ensure_mounted(volume: Volume) -> None:
    """Mount what the options of a volume say, unless it is. Raises VolumeProblem."""
    lock_fd = os.open(os.path.dirname(volume.path), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(lock_fd, fcntl.LOCK_EX)
        if not _is_mounted(volume.path):
            _mount(volume)
    finally:
        os.close(lock_fd)


def ensure_unmounted(path: str) -> None:
    """Take away what is mounted at the directory of a volume. Who has it mounted keeps it."""
    while _is_mounted(path):
        mounts.unmount(path)


def _mount(volume: Volume) -> None:
    options = MountOptions([word for word in volume.options.get("o", "").split(",") if word])
    device, fstype = volume.options["device"], volume.options["type"]
    if fstype == "bind":
        options.flags |= mounts.MS_BIND
    data = _with_address(volume.name, options.data)
    try:
        mounts.mount(device, volume.path, "" if options.is_bind else fstype, options.flags, data)
        if options.is_bind and options.flags & mounts.MS_RDONLY:
            flags = options.flags | mounts.MS_REMOUNT
            mounts.mount("", volume.path, flags=flags)
    except OSError as error:
        ensure_unmounted(volume.path)
        reason = os.strerror(error.errno or 0)
        what = f"cannot mount {device} as {fstype} with options `{volume.options.get('o', '')}`"
        raise _problem(volume.name, f"{what}: {reason}", None, code="volume-mount") from None


def _with_address(name: str, data: str) -> str:
    """Network filesystems want the address of their server as a number: `addr=nas` is a name."""
    words = data.split(",")
    for index, word in enumerate(words):
        if word.startswith("addr="):
            words[index] = f"addr={_address(name, word.removeprefix('addr='))}"
    return ",".join(words)


def _address(name: str, host: str) -> str:
    import socket

    try:
        return str(socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0][4][0])
    except (OSError, UnicodeError) as error:  # the second: it can be no name at all
        reason = error.strerror if isinstance(error, OSError) else error
        what = f"the server {host} is not known: {reason}"
        raise _problem(name, what, None, code="volume-mount") from None


def _is_mounted(path: str) -> bool:
    return mounts.mount_point_of(os.path.realpath(path)) == os.path.realpath(path)


def _problem(name: str, what: str, hint: str | None, code: str = "volume-options") -> VolumeProblem:
    return VolumeProblem(f"volume {name}: {what}", hint=hint, code=code)
