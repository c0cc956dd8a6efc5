"""The monitor's part of DHCP: it runs a client for each interface that wants one, and again where
one has ended, until the interface goes or the container does."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time

from engine.kernel import capabilities, mounts
from engine.kernel.interpreter import command_line
from engine.kernel.namespaces import CLONE_NEWNET, CLONE_NEWNS, setns, unshare
from engine.kernel.process import close_from, die_with_parent, reset_signals, set_no_new_privileges
from engine.network.dhcp import programs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from engine.kernel.loop import Loop, Timer

_AGAIN_S = 5.0
_GRACE_S = 1.0  # to give a lease back
_NEEDED = ("NET_ADMIN", "NET_RAW", "NET_BIND_SERVICE")


class Clients:
    """Those of one container, on the monitor's loop."""

    def __init__(self, loop: Loop, netns_fd: int) -> None:
        self._loop, self._netns_fd = loop, netns_fd
        self._running: dict[str, _Client] = {}

    def start(self, plugs: Sequence[dict[str, Any]]) -> None:
        """Run those of `plugs` that do not run."""
        for plug in plugs:
            if plug["dhcp"] and plug["interface"] not in self._running:
                client = _Client(self._loop, self._netns_fd, plug)
                self._running[plug["interface"]] = client
                client.start()

    def end_all_but(self, plugs: Sequence[dict[str, Any]]) -> None:
        """End those that are not of `plugs`, which have `_GRACE_S` together to give their leases
        back: their interfaces go next."""
        kept = {plug["interface"] for plug in plugs}
        ending = [self._running.pop(one) for one in list(self._running) if one not in kept]
        for client in ending:
            client.ask_to_end()
        deadline_s = time.monotonic() + _GRACE_S
        for client in ending:
            client.end(deadline_s)


class _Client:
    __slots__ = ("_again", "_loop", "_netns_fd", "_pid", "_pidfd", "_plug")

    def __init__(self, loop: Loop, netns_fd: int, plug: dict[str, Any]) -> None:
        self._loop, self._netns_fd, self._plug = loop, netns_fd, plug
        self._pid = self._pidfd = -1
        self._again: Timer | None = None

    def start(self) -> None:
        """Fork it; later, where the host has no process left."""
        parent = os.getpid()
        try:
            self._pid = os.fork()
        except OSError:
            self._again = self._loop.call_later(_AGAIN_S, self.start)
            return
        if self._pid == 0:
            _become_client(parent, self._netns_fd, self._plug)
        self._pidfd = os.pidfd_open(self._pid)
        self._loop.add_reader(self._pidfd, self._ended)

    def ask_to_end(self) -> None:
        """It is not started again, and gives its lease back."""
        if self._again is not None:
            self._again.cancel()
        self._signal(signal.SIGTERM)

    def end(self, deadline_s: float) -> None:
        """Wait for its end; one that lives at the deadline (of the monotonic clock) is killed."""
        if self._pidfd < 0:
            return
        poll = select.poll()
        poll.register(self._pidfd, select.POLLIN)
        if not poll.poll(1000 * max(0.0, deadline_s - time.monotonic())):
            self._signal(signal.SIGKILL)
        self._forget()

    def _signal(self, number: int) -> None:
        if self._pidfd >= 0:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, number)

    def _ended(self) -> None:
        self._forget()
        self._again = self._loop.call_later(_AGAIN_S, self.start)

    def _forget(self) -> None:
        self._loop.remove_reader(self._pidfd)
        os.close(self._pidfd)
        self._pidfd = -1
        with contextlib.suppress(ChildProcessError):  # the monitor reaps what it meets
            os.waitpid(self._pid, 0)


def _become_client(parent: int, netns_fd: int, plug: dict[str, Any]) -> None:
    """In the child; never returns."""
    try:
        die_with_parent(parent)
        dhcp = plug["dhcp"]
        setns(netns_fd, CLONE_NEWNET)
        script = _write_files(dhcp, plug["interface"])
        _confine(dhcp["directory"])
        reset_signals()
        null_fd = os.open(os.devnull, os.O_RDWR)
        for fd in range(3):
            os.dup2(null_fd, fd)
        close_from(3)
        argv = programs.command_line(dhcp, plug["interface"], script)
        os.execve(argv[0], argv, {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})
    finally:
        os._exit(1)


def _write_files(dhcp: dict[str, Any], interface: str) -> str:
    """The script that the client calls, and the settings of one that reads some; its path."""
    directory = dhcp["directory"]
    os.makedirs(directory, mode=0o700, exist_ok=True)
    record = f"{os.path.dirname(directory)}/config.json"
    words = command_line("engine.network.dhcp.event", directory, record, interface)
    quoted = " ".join("'" + word.replace("'", "'\\''") + "'" for word in words)
    _write(f"{directory}/settings", programs.settings_of(dhcp), 0o600)
    _write(f"{directory}/script", f'#!/bin/sh\nexec {quoted} "$@"\n', 0o700)
    return f"{directory}/script"


def _write(path: str, text: str, mode: int) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)


def _confine(directory: str) -> None:
    """It writes to its own directory alone, not to the host's resolv.conf, and has no power but
    over networks. Its script is there, and /run is mounted noexec on many hosts."""
    unshare(CLONE_NEWNS)
    mounts.mount("", "/", flags=mounts.MS_PRIVATE | mounts.MS_REC)
    mounts.mount(directory, directory, flags=mounts.MS_BIND)
    for path, recursive in (("/", True), (directory, False)):
        fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
        unwanted = 0 if recursive else mounts.MOUNT_ATTR_RDONLY | mounts.MOUNT_ATTR_NOEXEC
        mounts.set_attributes(fd, read_only=recursive, unwanted=unwanted, recursive=recursive)
        os.close(fd)
    set_no_new_privileges()
    capabilities.drop_bounding(_NEEDED)
    capabilities.set_capabilities(_NEEDED)
