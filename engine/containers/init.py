"""PID 1 of a container, from the fork to the program of the image.

The order is engine.md A1.2's: each step's place matters. A link leads to the process that
started it, and tells that what went wrong.
"""

from __future__ import annotations

import os
import signal
import sys

from engine.cgroups.hierarchy import V2
from engine.containers import priorities, process
from engine.kernel import capabilities, mounts, seccomp, smallinit
from engine.kernel.openat2 import open_beneath
from engine.kernel.process import (
    close_from,
    join_new_session_keyring,
    set_domainname,
    set_dumpable,
    set_hostname,
    set_name,
    show_as,
    title_memory,
)
from engine.kernel.terminal import open_terminal, set_window_size
from engine.rootfs import dev, masks
from engine.rootfs.cgroupfs import mount_hierarchies, mount_unified
from engine.rootfs.familiar import make_familiar
from engine.rootfs.mounts import MountError, ensure_directory, ensure_target, make_mount
from engine.rootfs.root import mount_root

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from engine.cgroups.entrance import Entrance
    from engine.containers.link import Link
    from engine.containers.namespaces import Namespaces

_SWAPPED = str.maketrans("./", "/.")


class Init:
    """What init needs, all of it read before the fork.

    config          the OCI config.json with our `buoy` section
    namespaces      entered as far as a fork does it
    filter_program  compiled seccomp filter, or None
    """

    def __init__(
        self,
        config: dict[str, Any],
        namespaces: Namespaces,
        link: Link,
        filter_program: bytes | None,
    ) -> None:
        self._config, self._ours = config, config["buoy"]
        self._namespaces, self._link, self._filter = namespaces, link, filter_program
        self._title = title_memory()  # asked of a /proc that is no image's
        self._changing_fd = -1  # at its end once process 1 is what it stays, where we are its child

    def run(self, stdio: tuple[int, int, int], entrance: Entrance | None) -> None:
        """Never returns: execve, or a report and _exit.

        entrance  of its cgroup; None: it is moved there before it is told to go on
        """
        try:
            if entrance is not None:
                entrance.enter()
            self._prepare(stdio)
            if entrance is None:
                self._link.wait()
            self._enter()
            self._make_root()
            if entrance is not None:
                self._link.wait()  # its root is made beside what the others have still to do
            self._settle()
            if self._ours["init"]:
                self._stay_as_init()
            process.run(self._config["process"], self._filter, self._before_program)
        except process.StartError as error:
            self._link.report(error.code, error.what, error.exit_code)
        except MountError as error:
            self._report("mount", str(error))
        except OSError as error:
            self._report("start", str(error))
        except BaseException as error:
            self._report("init", f"init failed: {type(error).__name__}: {error}{_place(error)}")
            raise
        finally:
            os._exit(1)

    def _report(self, code: str, what: str) -> None:
        self._link.report(code, what, process.UNKNOWN_FAILURE)

    def _prepare(self, stdio: tuple[int, int, int]) -> None:
        set_dumpable(False)
        os.umask(0o022)
        os.setsid()
        for target, fd in enumerate(stdio):
            os.dup2(fd, target)

    def _enter(self) -> None:
        process.set_limits(self._config["process"]["rlimits"])
        priorities.apply(self._config["process"])
        self._namespaces.enter_inner()
        if self._ours["keyring"]:
            join_new_session_keyring(f"_ses.{self._ours['id'][:12]}")

    def _make_root(self) -> None:
        """Mounts, /dev, working directory; then the root is `/` and the host's is gone."""
        root, linux = self._config["root"]["path"], self._config["linux"]
        tree_fd = self._config["root"].get("tree_fd")
        mount_root(root, self._ours["overlay"], linux.get("rootfsPropagation"), tree_fd)
        root_fd = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        for entry in self._config["mounts"]:
            if entry["type"] == "cgroup":
                read_only = "ro" in entry["options"]
                controllers, own = self._ours["cgroup_controllers"], self._own_cgroups()
                mount_hierarchies(root_fd, entry["destination"], controllers, own, read_only)
            elif entry["type"] == "cgroup2":
                mount_unified(root_fd, entry, self._ours["cgroup_directories"].get(V2))
            else:
                make_mount(root_fd, entry)
        if not self._ours["own_dev"]:
            dev.make_devices(root_fd, self._config["linux"]["devices"])
        if self._ours["overlay"] is not None:  # else the root is not ours to add to
            make_familiar(root_fd)
        try:
            os.close(ensure_directory(root_fd, self._config["process"]["cwd"]))
        except OSError as error:
            cwd = self._config["process"]["cwd"]
            what = f"cannot make the working directory {cwd}: {error.strerror}"
            raise process.StartError("working-directory", what) from None
        self._link.before_root(self._config)
        mounts.become_root(root_fd, pivot=not self._ours.get("no_pivot"))
        sys.meta_path.clear()  # an import would now run what the image has at our library's path
        os.close(root_fd)

    def _own_cgroups(self) -> dict[str, str]:
        """Where its groups are for one that is in the host's cgroup namespace."""
        kinds = {entry["type"] for entry in self._config["linux"]["namespaces"]}
        found: dict[str, str] = {} if "cgroup" in kinds else self._ours["cgroup_directories"]
        return found

    def _settle(self) -> None:
        """What needs the new root: terminal, read-only paths, names, kernel settings."""
        if self._config["process"]["terminal"]:
            self._open_terminal()
        else:
            _reopen_null()
        self._settle_root()
        if "hostname" in self._config:
            set_hostname(self._config["hostname"])
        if "domainname" in self._config:
            set_domainname(self._config["domainname"])
        for name, value in self._config["linux"]["sysctl"].items():
            _write_kernel(name, value)
        masks.make_read_only(self._config["linux"]["readonlyPaths"])
        masks.mask(self._config["linux"]["maskedPaths"])

    def _settle_root(self) -> None:
        propagation = self._config["linux"].get("rootfsPropagation")
        if propagation is not None:
            mounts.mount("", "/", flags=mounts.PROPAGATION[propagation])
        if self._config["root"]["readonly"]:
            root_fd = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            mounts.set_attributes(root_fd, read_only=True)
            os.close(root_fd)

    def _open_terminal(self) -> None:
        """A terminal of the container's own devpts; who started it gets the other end."""
        master_fd, peer_fd = open_terminal()
        size = self._config["process"].get("consoleSize")
        if size:
            set_window_size(master_fd, size["height"], size["width"])
        self._link.send_terminal(master_fd)
        slash_fd = os.open("/", os.O_PATH | os.O_CLOEXEC)
        target_fd = ensure_target(slash_fd, "/dev/console", directory=False)
        tree_fd = mounts.open_tree("", directory_fd=peer_fd)
        mounts.move_mount(tree_fd, target_fd)
        for fd in (tree_fd, target_fd, slash_fd):
            os.close(fd)

    def _stay_as_init(self) -> None:
        """`init: true`: the program becomes our child, and this process reaps and forwards.

        Returns in the child, a process group of its own and, with a terminal, in its foreground.
        This process is blind to nothing but the signals that cannot be caught, and keeps no
        descriptor: those of the monitor would be there for who may look into it (SYS_PTRACE).
        """
        signals = signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}
        signal.pthread_sigmask(signal.SIG_BLOCK, signals)
        self._changing_fd, changed_fd = os.pipe2(os.O_CLOEXEC)
        child = os.fork()
        if child == 0:
            os.close(changed_fd)
            os.setpgid(0, 0)
            if self._config["process"]["terminal"]:
                os.tcsetpgrp(0, os.getpid())
            return
        self._link.sync.detach()
        os.dup2(changed_fd, 0, inheritable=False)
        close_from(1)
        words = ["buoy-init", "--", *self._config["process"]["args"]]
        self._confine(words)
        smallinit.become(child, words)
        os.close(0)
        while True:
            number = signal.sigwait(signals)
            if number != signal.SIGCHLD:
                _forward(child, number)
                continue
            if (status := _reap(child)) is not None:
                os._exit(status if status >= 0 else 128 - status)

    def _before_program(self) -> None:
        """No program of the image's meets a process 1 that still is what the monitor forked."""
        if self._changing_fd >= 0:
            os.read(self._changing_fd, 1)
        self._link.before_program(self._config)

    def _confine(self, words: list[str]) -> None:
        """It forwards signals and reaps; the image's processes are to find nothing else in it."""
        set_name("buoy-init")
        show_as(self._title, " ".join(words))
        if self._filter is not None:
            seccomp.install(self._filter)
        capabilities.drop_bounding(["KILL"])
        capabilities.set_capabilities(["KILL"])


def _place(error: BaseException) -> str:
    """Where it was raised: there is no traceback to be had, nothing can be imported here."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f" at {trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else ""


def _forward(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def _reap(child: int) -> int | None:
    """Reap all that have ended; the exit code of `child` once it has, negative by signal."""
    found = None
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return found
        if pid == 0:
            return found
        if pid == child:
            found = os.waitstatus_to_exitcode(status)


def _reopen_null() -> None:
    """stdin is the host's /dev/null so far: the container gets its own."""
    found = os.fstat(0)
    if found.st_rdev == os.makedev(1, 3):
        null_fd = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
        os.dup2(null_fd, 0)
        os.close(null_fd)


def _write_kernel(name: str, value: str) -> None:
    """Set a sysctl without following anything that is not procfs's own.

    name  with dots between its words; a dot within one is written as a slash
    """
    path = "sys/" + name.translate(_SWAPPED)
    proc_fd = os.open("/proc", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fd = open_beneath(proc_fd, path.encode(), os.O_WRONLY)
        try:
            os.write(fd, value.encode())
        finally:
            os.close(fd)
    except OSError as error:
        reason = os.strerror(error.errno or 0)
        raise process.StartError("sysctl", f"cannot set {name}={value}: {reason}") from None
    finally:
        os.close(proc_fd)
