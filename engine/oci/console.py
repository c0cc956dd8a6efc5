"""Who gets the master of a container's terminal.

Source: runc docs/terminals.md, "Detached".
"""

from __future__ import annotations

import os
import socket

from engine.oci.errors import OciProblem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.oci.foreground import Terminal


def taker(
    socket_path: str, terminal: Terminal | None, wanted: bool
) -> Callable[[int], object] | None:
    """What the master is to be given to; None where there is no terminal.

    socket_path  of --console-socket
    terminal     of a command that stays
    wanted       whether the process has a terminal

    Raises OciProblem where nobody would take it, or there is nothing to take.
    """
    if not wanted:
        if socket_path:
            raise OciProblem("cannot use console socket if the process has no terminal")
        return None
    if socket_path:
        return lambda master_fd: _send(socket_path, master_fd)
    if terminal is None:
        raise OciProblem("cannot allocate tty when detaching without setting console socket")
    return terminal.take


def _send(path: str, master_fd: int) -> None:
    """As one SCM_RIGHTS message; ours is closed."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer:
        peer.connect(path)
        socket.send_fds(peer, [b"/dev/ptmx"], [master_fd])
    os.close(master_fd)
