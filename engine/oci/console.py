"""--console-socket: who asked for a terminal gets its master.

Source: runc docs/terminals.md, "Detached".
"""

from __future__ import annotations

import os
import socket


def send_terminal(path: str, master_fd: int) -> None:
    """Send the master to the socket at `path`, as one SCM_RIGHTS message, and let go of it."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer:
        peer.connect(path)
        socket.send_fds(peer, [b"/dev/ptmx"], [master_fd])
    os.close(master_fd)
