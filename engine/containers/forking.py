"""The fork that makes init, by whoever starts a container."""

from __future__ import annotations

import os

from engine.cgroups.entrance import NotBornInside
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
    pid = os.fork() if entrance is None else _fork_inside(entrance, namespaces)
    if pid == 0:
        let_go()
        init.run(stdio, entrance)
    return pid


def _fork_inside(entrance: Entrance, namespaces: Namespaces) -> int:
    try:
        return entrance.fork()
    except NotBornInside:
        namespaces.renew_pid()
        return entrance.fork()


def _read_filter(path: str | None) -> bytes | None:
    if path is None:
        return None
    with open(path, "rb") as file:
        return file.read()
