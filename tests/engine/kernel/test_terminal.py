"""Terminals, on the devpts of a mount namespace of their own."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

from engine.kernel.terminal import set_window_size, window_size
from tests.marks import needs_root

OPEN = """
import os, stat
from engine.kernel.mounts import MS_PRIVATE, MS_REC, mount
from engine.kernel.namespaces import CLONE_NEWNS, unshare
from engine.kernel.terminal import open_terminal
unshare(CLONE_NEWNS)
mount("", "/", flags=MS_PRIVATE | MS_REC)
mount("devpts", "/dev/pts", "devpts", 0, "newinstance,ptmxmode=0666,mode=0620")
{spoil}
report = os.dup(1)
if os.fork():
    os._exit(os.waitstatus_to_exitcode(os.wait()[1]))
os.setsid()
try:
    master, peer = open_terminal()
except OSError as error:
    os.write(report, str(error).encode())
    os._exit(0)
os.write(report, f"{{os.ttyname(0)}} {{os.tcgetpgrp(0) == os.getpid()}} {{os.isatty(2)}}".encode())
os.write(1, b"through")
os.write(report, b" " + os.read(master, 99))
"""


def opened(spoil: str = "") -> str:
    command = [sys.executable, "-c", OPEN.format(spoil=spoil)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@needs_root
def test_a_terminal_is_made_on_the_devpts_that_is_mounted() -> None:
    assert opened() == "/dev/pts/0 True True through"


@needs_root
def test_what_is_not_the_multiplexer_is_refused() -> None:
    """CVE-2025-52565: the container has something else at its path."""
    assert "multiplexer" in opened('mount("/dev/null", "/dev/pts/ptmx", flags=0x1000)')
    cover = 'mount("none", "/dev/pts", "tmpfs"); os.symlink("/dev/ptmx", "/dev/pts/ptmx")'
    assert "symbolic links" in opened(cover)
    node = 'mount("none", "/dev/pts", "tmpfs");'
    node += ' os.mknod("/dev/pts/ptmx", 0o20666, os.makedev(5, 2))'
    assert opened(node) in (
        "/dev/pts/ptmx is not the terminal multiplexer",
        "[Errno 19] No such device: '/dev/pts/ptmx'",
        "[Errno 2] No such file or directory: '/dev/pts/ptmx'",
    )


def test_a_size_that_is_set_is_read_back() -> None:
    master, peer = pty.openpty()
    set_window_size(master, 12, 345)
    assert window_size(peer) == (12, 345)
    os.close(master)
    os.close(peer)
