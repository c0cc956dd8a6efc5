"""What comes before each run of a container's program, done in a process of its own.

The monitor forks it, waits for it, and goes on with what it hands over. Everything that Python
touches in a forked process becomes private memory; this way what the start touches (the launch
record, cgroups, netlink, nftables) is given back at once, and a monitor stays at about 1 MB.
"""

from __future__ import annotations

import marshal
import os
import signal
import socket

from engine.cgroups.aside import stand_aside
from engine.cgroups.controls import LimitRefused
from engine.cgroups.hierarchy import Hierarchies
from engine.cgroups.oom import counters_of, open_watch
from engine.containers.forking import fork_init
from engine.containers.group import cgroup_of
from engine.containers.link import Link
from engine.containers.namespaces import Namespaces
from engine.containers.process import StartError
from engine.containers.sharing import open_shared
from engine.containers.statefile import CONFIG_NAME, read_json
from engine.kernel.child import call_in_child
from engine.kernel.idmap import new_namespace
from engine.kernel.namespaces import owner_of
from engine.kernel.process import start_time
from engine.network.hosts import hosts_file
from engine.rootfs.remapped import open_remapped
from engine.rootfs.sources import open_peers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from engine.network.sandbox import Sandbox

_PACKET_BYTES = 1 << 16
_MOST_FDS = 16


class Prepared:
    """Init, forked and waiting for `go` on its socket; the monitor is its parent.

    pid, started  of init (started: engine.kernel.process.start_time)
    pidfd         readable once init has ended
    sync          our end of the socket to it
    fds           stdout, stderr (to read) and stdin (to write), those that there are; `oom`, of
                  engine.cgroups.oom, on the first start
    oom_counters  likewise; "" where nobody counts
    cgroups       directories that processes of the container belong in
    discarded     (limit, why) of the limits that this host has nothing for
    """

    __slots__ = ("cgroups", "discarded", "fds", "oom_counters", "pid", "pidfd", "started", "sync")

    def __init__(self, message: dict[str, Any], sync_fd: int, fds: dict[str, int]) -> None:
        self.pid: int = message["pid"]
        self.pidfd = os.pidfd_open(self.pid)
        self.started: int = message["started"]
        self.cgroups: list[str] = message["cgroups"]
        self.discarded: list[tuple[str, str]] = message["discarded"]
        self.sync = socket.socket(fileno=sync_fd)
        self.fds = fds
        self.oom_counters: str = message["oom_counters"]


class PreparationFailed(Exception):
    """Why it could not be done: `error` has `code` and `what`."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(error["what"])
        self.error = error


def prepare(run_directory: str, sandbox: Sandbox | None, *, first: bool) -> Prepared:
    """Make cgroup and network (on the `first` start), and fork init.

    The caller must be a subreaper and have a single thread. Raises PreparationFailed, with
    nothing left of it; RuntimeError for a bug, with the traceback of the process that found it.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    child = os.fork()
    if child == 0:
        ours.close()
        _work(run_directory, sandbox, theirs, first)
    theirs.close()
    with ours:
        packet, fds, _, _ = socket.recv_fds(ours, _PACKET_BYTES, _MOST_FDS)
    os.waitpid(child, 0)  # from here on, init is our child
    message: dict[str, Any] = {"code": "start", "what": "the preparation was killed"}
    if packet:
        message = marshal.loads(packet)
    if "bug" in message:
        bug = RuntimeError(message["bug"])
        bug.add_note(message["traceback"])
        raise bug
    if "code" in message:
        raise PreparationFailed(message)
    named = dict(zip(message["names"], fds, strict=False))
    sync_fd = named.pop("sync")
    network = fds[len(message["names"]) :]
    if sandbox is not None and network:
        sandbox.adopt(message["links"], network)
    return Prepared(message, sync_fd, named)


def _work(run_directory: str, sandbox: Sandbox | None, report: socket.socket, first: bool) -> None:
    """In the child; never returns."""
    try:
        work = _Work(run_directory, sandbox, first)
        try:
            packet, fds = work.do()
            socket.send_fds(report, [packet], fds)
        except BaseException:
            _attempt(work.undo)
            raise
    except BaseException as error:  # noqa: BLE001 - the monitor raises it again
        message = marshal.dumps(_described(error))
        _attempt(lambda: report.send(message))  # the monitor may be the one that was killed
    finally:
        os._exit(0)


def _described(error: BaseException) -> dict[str, str]:
    if isinstance(error, StartError):
        return {"code": error.code, "what": error.what}
    if isinstance(error, LimitRefused):
        return {"code": "limit-refused", "what": str(error), "setting": error.setting}
    if isinstance(error, OSError):
        code, hint = getattr(error, "code", "start"), getattr(error, "hint", "")
        return {"code": code, "what": str(error), "hint": hint}
    import traceback

    what = f"{type(error).__name__}: {error}"
    return {"bug": what, "traceback": "".join(traceback.format_exception(error))}


class _Work:
    """The steps, and the way back."""

    def __init__(self, run_directory: str, sandbox: Sandbox | None, first: bool) -> None:
        config = read_json(f"{run_directory}/{CONFIG_NAME}")
        if config is None:
            raise FileNotFoundError(f"{run_directory}/{CONFIG_NAME} is missing or broken")
        self._config, self._ours = config, config["buoy"]
        self._sandbox, self._first = sandbox, first
        self._cgroup = cgroup_of(self._ours)
        self._given = open_shared(config)  # namespaces to join
        self._userns_fd = self._find_userns()
        self._pid = 0

    def do(self) -> tuple[bytes, list[int]]:
        """The message to the monitor with its descriptors."""
        discarded = []
        if self._first:
            if self._ours["monitor_group"]:
                stand_aside(Hierarchies.detect(), self._ours["monitor_group"], os.getppid())
            discarded = self._cgroup.create(self._config["linux"]["resources"])
            if self._sandbox is not None:
                self._sandbox.make(self._userns_fd)
        else:
            self._write_hosts()
        init_socket, sync = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        stdio, fds = self._make_stdio()
        self._pid = self._fork(init_socket, sync, stdio)
        counters = counters_of(self._cgroup.directories) if self._first else ""
        if counters:
            fds["oom"] = open_watch(counters)
        if self._sandbox is not None:
            self._sandbox.register()
        message: dict[str, Any] = {
            "pid": self._pid,
            "started": start_time(self._pid),
            "cgroups": list(dict.fromkeys(self._cgroup.directories.values())),
            "discarded": discarded,
            "oom_counters": counters,
            "names": ["sync", *fds],
        }
        network: list[int] = []
        if self._sandbox is not None and self._first:
            message["links"], network = self._sandbox.hand_over()
        return marshal.dumps(message), [sync.detach(), *fds.values(), *network]

    def undo(self) -> None:
        """Nothing stays of a start that failed; of a restart, cgroup and network do."""
        if self._pid:
            os.kill(self._pid, signal.SIGKILL)
            _attempt(lambda: os.waitpid(self._pid, 0))  # or it is the monitor's child already
        if self._first:
            for step in (self._close_sandbox, self._cgroup.remove):
                _attempt(step)

    def _fork(
        self, init_socket: socket.socket, sync: socket.socket, stdio: tuple[int, int, int]
    ) -> int:
        """It keeps its own end of the socket alone: it has to see the end of a monitor."""
        if self._sandbox is not None:
            self._given["network"] = self._sandbox.netns_fd
        self._ours["cgroup_directories"] = self._cgroup.directories
        namespaces = Namespaces(self._config["linux"], self._given)
        link = Link(init_socket)
        if self._userns_fd is None:
            entrance = self._cgroup.entrance()
            pid = fork_init(self._config, namespaces, link, stdio, sync.close, entrance)
            entrance.close()
            return pid
        open_peers(self._config["mounts"])
        open_remapped(self._config, self._userns_fd)
        pid = call_in_child(lambda: fork_init(self._config, namespaces, link, stdio, sync.close))
        self._cgroup.attach(pid)  # from within, its own cgroup is none of its business
        return pid

    def _write_hosts(self) -> None:
        """As at the first start, whatever the last run has made of it (engine.md A8.3)."""
        with open(f"{self._ours['directory']}/hosts", "w", encoding="utf-8") as file:
            file.write(hosts_file(self._ours["network"]))

    def _find_userns(self) -> int | None:
        """The user namespace, where it is not the host's. The network stays over restarts, and
        with it the one that it belongs to."""
        linux = self._config["linux"]
        if all(entry["type"] != "user" for entry in linux["namespaces"]):
            return None
        if "user" not in self._given:
            if self._sandbox is not None and not self._first:
                self._given["user"] = owner_of(self._sandbox.netns_fd)
            else:
                self._given["user"] = new_namespace(linux["uidMappings"], linux["gidMappings"])
        return self._given["user"]

    def _make_stdio(self) -> tuple[tuple[int, int, int], dict[str, int]]:
        """Init's descriptors, and by name the other ends. A terminal is made by init itself."""
        null_fd = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
        if self._config["process"]["terminal"]:
            return (null_fd, null_fd, null_fd), {}
        ends, written = {}, []
        for stream in ("stdout", "stderr"):
            ends[stream], write_fd = os.pipe2(os.O_CLOEXEC)
            os.fchown(write_fd, *self._host_root())  # by its path, too, it may be opened
            written.append(write_fd)
        if self._ours["stdin_open"]:
            null_fd, ends["stdin"] = os.pipe2(os.O_CLOEXEC)
        return (null_fd, written[0], written[1]), ends

    def _host_root(self) -> tuple[int, int]:
        """What the container's root is on the host."""
        linux = self._config["linux"]
        if self._userns_fd is None:
            return 0, 0
        return linux["uidMappings"][0]["hostID"], linux["gidMappings"][0]["hostID"]

    def _close_sandbox(self) -> None:
        if self._sandbox is not None:
            self._sandbox.close()


def _attempt(step: Callable[[], object]) -> None:
    try:
        step()
    except OSError:  # the failure that led here is the one to report
        return
