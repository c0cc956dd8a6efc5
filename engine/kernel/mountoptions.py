"""Mount options as fstab, mount(8) and the OCI runtime specification write them.

A word is a flag of mount(2), a propagation, an attribute of a whole tree of mounts, or a matter of
the filesystem. Source: runtime-spec config.md, "Linux mount options".
"""

from __future__ import annotations

from engine.kernel import mounts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

FLAGS: dict[str, tuple[int, int]] = {  # option -> (flags to set, flags to clear)
    "defaults": (0, 0),
    "ro": (mounts.MS_RDONLY, 0),
    "rw": (0, mounts.MS_RDONLY),
    "nosuid": (mounts.MS_NOSUID, 0),
    "suid": (0, mounts.MS_NOSUID),
    "nodev": (mounts.MS_NODEV, 0),
    "dev": (0, mounts.MS_NODEV),
    "noexec": (mounts.MS_NOEXEC, 0),
    "exec": (0, mounts.MS_NOEXEC),
    "nosymfollow": (mounts.MS_NOSYMFOLLOW, 0),
    "symfollow": (0, mounts.MS_NOSYMFOLLOW),
    "noatime": (mounts.MS_NOATIME, 0),
    "atime": (0, mounts.MS_NOATIME),
    "nodiratime": (mounts.MS_NODIRATIME, 0),
    "diratime": (0, mounts.MS_NODIRATIME),
    "relatime": (mounts.MS_RELATIME, 0),
    "norelatime": (0, mounts.MS_RELATIME),
    "strictatime": (mounts.MS_STRICTATIME, 0),
    "nostrictatime": (0, mounts.MS_STRICTATIME),
    "sync": (mounts.MS_SYNCHRONOUS, 0),
    "async": (0, mounts.MS_SYNCHRONOUS),
    "dirsync": (mounts.MS_DIRSYNC, 0),
    "mand": (mounts.MS_MANDLOCK, 0),
    "nomand": (0, mounts.MS_MANDLOCK),
    "iversion": (mounts.MS_I_VERSION, 0),
    "noiversion": (0, mounts.MS_I_VERSION),
    "lazytime": (mounts.MS_LAZYTIME, 0),
    "nolazytime": (0, mounts.MS_LAZYTIME),
    "silent": (mounts.MS_SILENT, 0),
    "loud": (0, mounts.MS_SILENT),
    "bind": (mounts.MS_BIND, 0),
    "rbind": (mounts.MS_BIND | mounts.MS_REC, 0),
}
# The flags that are a mount's own, not its filesystem's -> their attributes of mount_setattr(2).
_ATTRIBUTES = {
    mounts.MS_RDONLY: mounts.MOUNT_ATTR_RDONLY,
    mounts.MS_NOSUID: mounts.MOUNT_ATTR_NOSUID,
    mounts.MS_NODEV: mounts.MOUNT_ATTR_NODEV,
    mounts.MS_NOEXEC: mounts.MOUNT_ATTR_NOEXEC,
    mounts.MS_NOSYMFOLLOW: mounts.MOUNT_ATTR_NOSYMFOLLOW,
    mounts.MS_NOATIME: mounts.MOUNT_ATTR_NOATIME,
    mounts.MS_NODIRATIME: mounts.MOUNT_ATTR_NODIRATIME,
    mounts.MS_RELATIME: mounts.MOUNT_ATTR_RELATIME,
    mounts.MS_STRICTATIME: mounts.MOUNT_ATTR_STRICTATIME,
}
_TIMES = mounts.MS_NOATIME | mounts.MS_RELATIME | mounts.MS_STRICTATIME


class MountOptions:
    """What a list of options asks for.

    flags        of mount(2), with MS_BIND and MS_REC
    cleared      flags that it asks not to have
    propagation  MS_PRIVATE, ..., with MS_REC; 0 where nothing is asked for
    tree         (flags to set, flags to clear) for all mounts of a tree: `rro`, `rnosuid`, ...
    copies_up    `tmpcopyup`: a tmpfs starts with what is below it
    data         the rest, for the filesystem to accept or refuse
    """

    __slots__ = ("cleared", "copies_up", "data", "flags", "propagation", "tree")

    def __init__(self, options: Sequence[str]) -> None:
        self.flags = self.cleared = self.propagation = 0
        self.tree = (0, 0)
        self.copies_up = False
        data = []
        for option in options:
            if option in FLAGS:
                self.flags, self.cleared = _with((self.flags, self.cleared), FLAGS[option])
            elif option in mounts.PROPAGATION:
                self.propagation = mounts.PROPAGATION[option]
            elif option.startswith("r") and attribute_flags(option[1:]) is not None:
                self.tree = _with(self.tree, FLAGS[option[1:]])
            elif option == "tmpcopyup":
                self.copies_up = True
            else:
                data.append(option)
        self.data = ",".join(data)

    @property
    def is_bind(self) -> bool:
        """Whether something is mounted that is there already."""
        return bool(self.flags & mounts.MS_BIND)


def attribute_flags(option: str) -> tuple[int, int] | None:
    """What an option changes of a mount alone; None for one that is not about that."""
    found = FLAGS.get(option)
    if found is None or not (found[0] | found[1]) & sum(_ATTRIBUTES):
        return None
    return found


def attributes_of(flags: int, cleared: int) -> tuple[int, int]:
    """(attributes to set, attributes to clear) of mount_setattr(2)."""
    wanted = sum(attribute for flag, attribute in _ATTRIBUTES.items() if flags & flag)
    unwanted = sum(attribute for flag, attribute in _ATTRIBUTES.items() if cleared & flag)
    if (flags | cleared) & _TIMES:  # three values of one field
        unwanted |= mounts.MOUNT_ATTR_ATIME
    return wanted, unwanted


def _with(present: tuple[int, int], change: tuple[int, int]) -> tuple[int, int]:
    """The later word wins."""
    flags, cleared = present
    return flags & ~change[1] | change[0], cleared & ~change[0] | change[1]
