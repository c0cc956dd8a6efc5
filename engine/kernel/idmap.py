"""User namespaces: which ids of the host those inside are."""

from __future__ import annotations

import contextlib
import os

from engine.kernel.child import open_in_child
from engine.kernel.namespaces import CLONE_NEWUSER, open_own, unshare

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any


def enter_new(uids: Sequence[dict[str, Any]], gids: Sequence[dict[str, Any]]) -> None:
    """Move this process, of a single thread, into a new user namespace, and become its root.

    uids, gids  entries `containerID`, `hostID`, `size`, as in the OCI runtime specification

    The maps are written from outside, by a child that stays there: from inside, nothing but the
    own id can be mapped. Raises OSError for what the kernel refuses of them.
    """
    parent = os.getpid()
    ready_fd, go_fd = os.pipe2(os.O_CLOEXEC)
    child = os.fork()
    if child == 0:
        os.close(go_fd)
        os._exit(_write_maps(parent, ready_fd, uids, gids))
    os.close(ready_fd)
    try:
        unshare(CLONE_NEWUSER)
    finally:
        os.close(go_fd)
        _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    if code:
        raise OSError(code, f"{os.strerror(code)}: the id mappings {list(uids)}, {list(gids)}")
    become_root()


def new_namespace(uids: Sequence[dict[str, Any]], gids: Sequence[dict[str, Any]]) -> int:
    """A close-on-exec descriptor of a new user namespace with these ids, for others to join."""

    def make() -> list[int]:
        enter_new(uids, gids)
        return [open_own("user")]

    return open_in_child(make)[0]


def become_root() -> None:
    """Be 0:0 of the user namespace just entered, with no group of the outside."""
    with contextlib.suppress(PermissionError):  # `deny` in setgroups: then they stay
        os.setgroups([])
    os.setresgid(0, 0, 0)
    os.setresuid(0, 0, 0)


def _write_maps(
    pid: int, ready_fd: int, uids: Sequence[dict[str, Any]], gids: Sequence[dict[str, Any]]
) -> int:
    """In the child, once the parent has gone in: the errno, or 0."""
    os.read(ready_fd, 1)  # its end
    try:
        for name, entries in (("gid_map", gids), ("uid_map", uids)):
            lines = (f"{e['containerID']} {e['hostID']} {e['size']}\n" for e in entries)
            fd = os.open(f"/proc/{pid}/{name}", os.O_WRONLY | os.O_CLOEXEC)
            os.write(fd, "".join(lines).encode())
            os.close(fd)
    except OSError as error:
        return error.errno or 1
    return 0
