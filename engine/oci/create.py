"""`create`: all of a container but its program, which waits for `start`."""

from __future__ import annotations

import json
import os
import socket

from engine.cgroups.hierarchy import V2, Hierarchies
from engine.containers.forking import fork_init
from engine.containers.link import GO, TERMINAL
from engine.containers.namespaces import Namespaces
from engine.containers.process import StartError
from engine.containers.profile import ProfileError, filter_of, flags_of
from engine.kernel.process import set_name, start_time
from engine.oci import cgroup as cgroups
from engine.oci import console, hooks, waiting
from engine.oci.config import launch_record, read_bundle
from engine.oci.errors import OciProblem, start_failed
from engine.oci.process import unavailable
from engine.oci.store import FILTER_NAME, START_NAME, Reserved, Stored, check_id, remove_directory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from engine.cgroups.cgroup import Cgroup
    from engine.oci.foreground import Terminal
    from engine.oci.log import Log
    from engine.oci.options import Given

_PACKET_BYTES = 1 << 16


def run(root: str, given: Given, log: Log) -> int:
    """The verb."""
    create(root, given.arguments[0], given, log)
    return 0


def create(
    root: str, container_id: str, given: Given, log: Log, terminal: Terminal | None = None
) -> Stored:
    """Make the container of a bundle. Raises OciProblem, with nothing left of it.

    terminal  of a command that stays with the container
    """
    check_id(container_id)
    bundle = os.path.abspath(given.text("bundle", "."))
    record = launch_record(read_bundle(bundle), bundle, container_id)
    for name in unavailable(record["process"]):
        log.write_warning(f"capability {name} cannot be granted here")
    _add_options(record, given)
    take = console.taker(given.text("console-socket"), terminal, record["process"]["terminal"])
    cgroup = cgroups.cgroup_of(record)
    creation = Creation(record, bundle, Reserved(root, container_id), cgroup, take)
    try:
        return creation.do(given.text("pid-file"))
    except BaseException as error:
        creation.undo(log)
        if isinstance(error, OSError):
            raise OciProblem(f"unable to start container process: {error}") from None
        raise


def _add_options(record: dict[str, Any], given: Given) -> None:
    record["process"]["preserve_fds"] = given.number("preserve-fds") or 0
    record["buoy"]["keyring"] = not given.flag("no-new-keyring")
    record["buoy"]["no_pivot"] = given.flag("no-pivot")


class Creation:
    """The steps, and the way back.

    take  gets the master of the terminal, where there is one
    """

    def __init__(
        self,
        record: dict[str, Any],
        bundle: str,
        reserved: Reserved,
        cgroup: Cgroup,
        take: Callable[[int], object] | None,
    ) -> None:
        self._record, self._reserved, self._take = record, reserved, take
        self._state: dict[str, Any] = {
            "ociVersion": record["ociVersion"],
            "id": record["buoy"]["id"],
            "status": "creating",
            "pid": 0,
            "bundle": bundle,
            "annotations": record["annotations"],
        }
        self._cgroup, self._pid = cgroup, 0

    def do(self, pid_file: str) -> Stored:
        """Up to an init that waits."""
        cgroups.make(self._cgroup, self._record["linux"]["resources"])
        self._add_filter()
        self._see_cgroups()
        self._reserved.write_config(self._record)
        with self._fork() as sync:
            self._cgroup.attach(self._pid)
            sync.send(GO)
            self._attend(sync)
        if pid_file:
            write_pid(pid_file, self._pid)
        state = {key: value for key, value in self._state.items() if key != "status"}
        started, directories = start_time(self._pid), self._cgroup.directories
        return self._reserved.write_state({**state, "started": started, "cgroups": directories})

    def _see_cgroups(self) -> None:
        """What init mounts for `type: cgroup`: one mount where all is on v2."""
        hierarchies, directories = Hierarchies.detect(), self._cgroup.directories
        self._record["buoy"]["cgroup_controllers"] = hierarchies.joint()
        self._record["buoy"]["cgroup_directories"] = directories
        if hierarchies.is_pure_v2:
            kinds = {entry["type"] for entry in self._record["linux"]["namespaces"]}
            for entry in self._record["mounts"]:
                if entry["type"] == "cgroup":
                    cgroups.on_v2(entry, None if "cgroup" in kinds else directories[V2])

    def _add_filter(self) -> None:
        """Compiled, as it is for every exec, too."""
        profile = self._record["linux"]["seccomp"]
        if not profile:
            return
        try:
            program, flags = filter_of(profile), flags_of(profile)
        except ProfileError as error:
            raise OciProblem(f"config.json: linux.seccomp: {error}") from None
        self._record["process"]["filter_flags"] = flags
        self._record["buoy"]["seccomp"] = self._reserved.write(FILTER_NAME, program)

    def undo(self, log: Log) -> None:
        """Nothing stays. An init that is not in its cgroup yet ends with the socket to it."""
        if self._pid:
            self._cgroup.kill()
            hooks.run_poststop(self._record, self._state, log)
        try:
            self._cgroup.remove()
        except OSError as error:
            log.write_warning(str(error))
        remove_directory(self._reserved.directory)

    def _fork(self) -> socket.socket:
        """Init, by a child that enters what init gets by its fork; our end of the socket to it."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        listener = waiting.listen(self._reserved.directory, START_NAME)
        namespaces = Namespaces(self._record["linux"], {})
        link = waiting.Waiting(theirs, listener, self._state)
        child = os.fork()
        if child == 0:
            _fork_and_tell(self._record, namespaces, link, ours)
        theirs.close()
        listener.close()
        message = json.loads(ours.recv(_PACKET_BYTES) or json.dumps(waiting.KILLED))
        os.waitpid(child, 0)
        if "code" in message:
            raise start_failed(message, self._record["process"]["args"][0])
        self._pid = self._state["pid"] = message["pid"]
        return ours

    def _attend(self, sync: socket.socket) -> None:
        """What init needs of us until it is ready."""
        while True:
            message, fds, _, _ = socket.recv_fds(sync, _PACKET_BYTES, 1)
            if message == TERMINAL and self._take is not None:
                self._take(fds[0])
            elif message == waiting.MOUNTED:
                for moment in ("prestart", "createRuntime"):
                    hooks.run_all(self._record, moment, self._state)
                sync.send(GO)
            elif message == waiting.READY:
                return
            else:
                report = json.loads(message) if message else waiting.KILLED
                raise start_failed(report, self._record["process"]["args"][0])


def _fork_and_tell(
    record: dict[str, Any], namespaces: Namespaces, link: waiting.Waiting, ours: socket.socket
) -> None:
    """In the child; never returns."""
    try:
        set_name("buoy-oci:init")
        pid = fork_init(record, namespaces, link, (0, 1, 2), ours.close)
        link.sync.send(json.dumps({"pid": pid}).encode())
    except StartError as error:
        link.report(error.code, error.what, error.exit_code)
    except OSError as error:
        link.report("start", str(error), 128)
    finally:
        os._exit(0)


def write_pid(path: str, pid: int) -> None:
    """Replace a pid file in one step: who waits for it never reads half of it."""
    directory, name = os.path.split(os.path.abspath(path))
    temporary = f"{directory}/.{name}"
    with open(temporary, "w", encoding="ascii") as file:
        file.write(str(pid))
    os.rename(temporary, path)
