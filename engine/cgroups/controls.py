"""One controller's files in one group, as limits are written to them."""

from __future__ import annotations

import errno
import os

from engine.cgroups.hierarchy import write_value


class LimitRefused(OSError):
    """A limit that the kernel does not take.

    setting  as in `linux.resources` of the OCI runtime specification: "memory.limit"
    """

    def __init__(self, setting: str, code: int, what: str, path: str | None = None) -> None:
        super().__init__(code, what, path) if path else super().__init__(code, what)
        self.setting = setting


class Controls:
    """The files of one controller in one group.

    directory, version   of its hierarchy; version 0: the controller is not there
    discarded            (setting, why) for each limit that was left out, as Docker does where
                         the kernel has no file for it
    """

    __slots__ = ("directory", "discarded", "version")

    def __init__(self, directory: str, version: int, discarded: list[tuple[str, str]]) -> None:
        self.directory, self.version, self.discarded = directory, version, discarded

    def has(self, name: str) -> bool:
        """Whether there is a file `name`."""
        return bool(self.version) and os.path.exists(f"{self.directory}/{name}")

    def put(self, setting: str, value: object, *names: str) -> bool:
        """Write to the first of `names` that exists; without one the limit is discarded.

        Raises LimitRefused, naming file and value.
        """
        if self.version:
            for name in names:
                try:
                    write_value(self.directory, name, str(value))
                    return True
                except FileNotFoundError:
                    continue
                except OSError as error:
                    code, what = error.errno or errno.EIO, str(error.strerror)
                    raise LimitRefused(setting, code, what, f"{self.directory}/{name}") from None
        self.discard(setting, f"this host has no {names[0]}")
        return False

    def discard(self, setting: str, why: str) -> None:
        """Note that a limit is left out."""
        self.discarded.append((setting, why))

    def require(self, setting: str, value: object, *names: str) -> None:
        """The same as `put`; raises LimitRefused where there is no file either."""
        if not self.put(setting, value, *names):
            _, why = self.discarded.pop()
            raise LimitRefused(setting, errno.ENOTSUP, why)
