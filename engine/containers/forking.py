"""The fork that makes init, by whoever starts a container."""

from __future__ import annotations

import marshal
import os

from engine.containers import process
from engine.containers.init import Init
from engine.rootfs.sources import open_peers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from engine.cgroups.entrance import Entrance
    from engine.containers.link import Link
    from engine.containers.namespaces import Namespaces


_MOST_BYTES = 4096  # PIPE_BUF: written in one piece


def fork_init(
    config: dict[str, Any],
    namespaces: Namespaces,
    link: Link,
    stdio: tuple[int, int, int],
    let_go: Callable[[], object],
    entrance: Entrance | None = None,
) -> int:
    """Fork init; its pid. It waits on its link until it is in its cgroup.

    let_go    called in init: closes what the caller has that init shall not keep
    entrance  of its cgroup; None: somebody moves it there before it goes on

    The caller is of use for nothing else afterwards: its next child would be in the container's
    pid namespace, and it may be in the container's user namespace itself.
    """
    filter_program = _read_filter(config["buoy"]["seccomp"])
    init = Init(config, namespaces, link, filter_program)
    open_peers(config["mounts"])
    process.set_oom_score(config["process"]["oomScoreAdj"])  # in a user namespace it could not
    namespaces.enter_outer()
    pid = os.fork() if entrance is None else entrance.fork()
    if pid == 0:
        let_go()
        init.run(stdio, entrance)
    return pid


def fork_apart(fork: Callable[[], int]) -> int:
    """The pid of what `fork` forks, in a child that goes where its caller must not.

    What is forked becomes the child of the nearest subreaper above. Raises OSError as `fork` does.
    """
    read_fd, write_fd = os.pipe2(os.O_CLOEXEC)
    child = os.fork()
    if child == 0:
        os.close(read_fd)
        _tell_fork(fork, write_fd)
    os.close(write_fd)
    told = os.read(read_fd, _MOST_BYTES)  # not to its end: what is forked has the pipe, too
    os.close(read_fd)
    os.waitpid(child, 0)
    if not told:
        raise OSError("the fork of init was killed")
    pid, code, reason = marshal.loads(told)
    if not pid:
        raise OSError(code, reason)
    return int(pid)


def _tell_fork(fork: Callable[[], int], write_fd: int) -> None:
    """In the child; never returns."""
    try:
        os.write(write_fd, marshal.dumps((fork(), 0, "")))
    except OSError as error:
        os.write(write_fd, marshal.dumps((0, error.errno, error.strerror or str(error))))
    finally:
        os._exit(0)


def _read_filter(path: str | None) -> bytes | None:
    if path is None:
        return None
    with open(path, "rb") as file:
        return file.read()
