"""What is known of a container between two commands: a directory of its own below --root.

`config.json` is the launch record (engine.oci.config), `state.json` what came of it; `start` is a
socket on which the init of a created container waits. The kernel is asked for all else.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time

from engine.cgroups.freezer import is_frozen
from engine.containers.statefile import CONFIG_NAME, STATE_NAME, read_json, write_json
from engine.kernel.process import is_running
from engine.oci.errors import NotFound, OciProblem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

START_NAME = "start"  # the socket
FILTER_NAME = "seccomp.bpf"
_NAME_CHARACTERS = frozenset("_+-.")


def default_root() -> str:
    """Below the volatile root of the engine (BUOY_RUN_ROOT), gone at reboot as containers are."""
    from engine.state.paths import Roots

    return f"{Roots.from_environment().run_root}/oci"


class Stored:
    """One container: id, directory, and the content of state.json.

    state  `ociVersion`, `id`, `bundle`, `annotations`, `pid`; ours: `started` (ticks; see
           kernel.process.start_time), `cgroups` (controller -> directory), `created_s`
    """

    __slots__ = ("directory", "id", "state")

    def __init__(self, directory: str, state: dict[str, Any]) -> None:
        self.directory, self.state = directory, state
        self.id = os.path.basename(directory)

    @property
    def pid(self) -> int:
        """Of its first process; 0 once that has ended."""
        pid: int = self.state["pid"]
        return pid if is_running(pid, self.state["started"]) else 0

    def open_pidfd(self) -> int | None:
        """A descriptor of its first process, which no other can take the place of; None once that
        has ended."""
        try:
            pidfd = os.pidfd_open(self.state["pid"])
        except ProcessLookupError:
            return None
        if self.pid:
            return pidfd
        os.close(pidfd)
        return None

    def status(self) -> str:
        """created, running, paused or stopped."""
        if not self.pid:
            return "stopped"
        if is_frozen(self.state["cgroups"]):
            return "paused"
        return "created" if os.path.exists(f"{self.directory}/{START_NAME}") else "running"

    def shown(self) -> dict[str, Any]:
        """The state as the runtime specification has it, which hooks get, too."""
        return {
            "ociVersion": self.state["ociVersion"],
            "id": self.id,
            "status": self.status(),
            "pid": self.pid,
            "bundle": self.state["bundle"],
            "annotations": self.state["annotations"],
        }

    def config(self) -> dict[str, Any]:
        """Its launch record. Raises NotFound where it has been deleted meanwhile."""
        config = read_json(f"{self.directory}/{CONFIG_NAME}")
        if config is None:
            raise NotFound
        return config


def check_id(container_id: str) -> str:
    """It becomes a path. Raises OciProblem."""
    allowed = all(c.isascii() and (c.isalnum() or c in _NAME_CHARACTERS) for c in container_id)
    if not container_id or not allowed or container_id in (".", ".."):
        raise OciProblem(
            f"invalid container ID format: {container_id!r}", code="invalid-container-id"
        )
    return container_id


def find(root: str, container_id: str) -> Stored:
    """Raises NotFound."""
    directory = os.path.join(root, check_id(container_id))
    state = read_json(f"{directory}/{STATE_NAME}")
    if state is None:
        raise NotFound
    return Stored(directory, state)


def all_of(root: str) -> list[Stored]:
    """Those that are made, by id."""
    found = []
    for name in sorted(os.listdir(root)) if os.path.isdir(root) else ():
        state = read_json(f"{root}/{name}/{STATE_NAME}")
        if state is not None:
            found.append(Stored(f"{root}/{name}", state))
    return found


class Reserved:
    """The directory of a container in the making. Who made it holds a lock on it: one that has
    no state and no holder was left behind."""

    def __init__(self, root: str, container_id: str) -> None:
        """Raises OciProblem where there is a container of that id."""
        self.directory = os.path.join(root, check_id(container_id))
        os.makedirs(root, mode=0o700, exist_ok=True)
        try:
            os.mkdir(self.directory, 0o711)
        except FileExistsError:
            raise OciProblem("container with given ID already exists", code="id-taken") from None
        self._fd = os.open(self.directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        fcntl.flock(self._fd, fcntl.LOCK_EX)

    def write_config(self, config: dict[str, Any]) -> None:
        """The launch record, for `exec` and for hooks."""
        write_json(self.directory, CONFIG_NAME, config)

    def write(self, name: str, content: bytes) -> str:
        """A file beside it; its path."""
        path = f"{self.directory}/{name}"
        with open(path, "wb") as file:
            file.write(content)
        return path

    def write_state(self, state: dict[str, Any]) -> Stored:
        """From here on the container is there for others."""
        state = {**state, "created_s": time.time()}
        write_json(self.directory, STATE_NAME, state)
        os.close(self._fd)
        return Stored(self.directory, state)


def remove_leftover(root: str, container_id: str) -> bool:
    """Remove a directory whose maker was killed; False where there is none."""
    directory = os.path.join(root, check_id(container_id))
    try:
        fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise OciProblem(f"container {container_id} is being created") from None
    finally:
        os.close(fd)
    remove_directory(directory)
    return True


def remove_directory(directory: str) -> None:
    """With the files in it, the state first: without it the rest is a leftover. Accepts absence."""
    with contextlib.suppress(FileNotFoundError):
        for name in sorted(os.listdir(directory), key=lambda name: name != STATE_NAME):
            os.unlink(f"{directory}/{name}")
        os.rmdir(directory)
