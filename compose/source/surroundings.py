"""Files and variables from outside, and the memory of which ones were asked for."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


class Surroundings:
    """What a project is read from: a working directory, an environment, the file system.

    files, variables, links   all that was asked for, with the answer; a later load that would get
                              the same answers comes to the same project
    fetched                   where files from elsewhere are now
    """

    def __init__(self, directory: str, environment: Mapping[str, str]) -> None:
        self.directory = directory
        self._environment = environment
        self.files: dict[str, str | None] = {}
        self.variables: dict[str, str | None] = {}
        self.links: dict[str, str] = {}
        self.fetched: dict[str, str] = {}

    def variable(self, name: str) -> str | None:
        """Value of a variable of the process."""
        self.variables[name] = self._environment.get(name)
        return self.variables[name]

    def process(self) -> Mapping[str, str]:
        """All variables, for a command that is run: none of them counts as asked for."""
        return self._environment

    def read(self, path: str) -> str | None:
        """Text of the file at an absolute path, `-` for standard input; None: cannot be read."""
        if path not in self.files:
            self.files[path] = sys.stdin.read() if path == "-" else read_text(path)
        return self.files[path]

    def followed(self, path: str) -> str:
        """A path without symbolic links in it."""
        self.links[path] = os.path.realpath(path)
        return self.links[path]

    def failing(self, path: str) -> str:
        """Why a file cannot be read, as the end of a sentence that begins with its name."""
        if not os.path.lexists(path):
            return "does not exist"
        return "is a directory" if os.path.isdir(path) else "cannot be read"  # noqa: PTH112

    def absolute(self, path: str) -> str:
        """A path made absolute against the working directory, `~` being the home directory."""
        return self.within(self.directory, path)

    def within(self, base: str, path: str) -> str:
        """A path made absolute against `base`. `~name` is `$HOME/name`, as in the reference."""
        if path.startswith("~"):
            home = self.variable("HOME") or "/"
            return os.path.normpath(f"{home}/{path[1:].lstrip('/')}")
        return os.path.normpath(os.path.join(base, path))  # noqa: PTH118 - pathlib costs 17 ms

    def shown(self, path: str) -> str:
        """A path as messages name it: relative where it lies below the working directory."""
        return path.removeprefix(self.directory.rstrip("/") + "/")


def read_text(path: str) -> str | None:
    """Text of a file, undecodable bytes kept as surrogates; None where it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:  # noqa: PTH123
            return file.read()
    except OSError:
        return None
