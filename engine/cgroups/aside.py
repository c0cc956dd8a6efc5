"""A group for the monitors, where systemd is in charge.

It ends all that is in the group of a session or a service when that ends. The containers have
groups of their own; their monitors would go with the command that started them.
"""

from __future__ import annotations

import contextlib
import os

from engine.cgroups import layout
from engine.cgroups.hierarchy import V2, write_value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.cgroups.hierarchy import Hierarchies

NAME = "monitors"


def stand_aside(hierarchies: Hierarchies, parent: str, pid: int) -> None:
    """Move a process to `<parent>/monitors` in the hierarchies that systemd uses.

    One that cannot be moved stays where it is: it works there as well, while it lasts.
    """
    for key, point in _tracked(hierarchies):
        with contextlib.suppress(OSError):
            layout.make(key, point, f"{parent}/{NAME}")
            write_value(f"{point}/{parent}/{NAME}", "cgroup.procs", str(pid))


def step_back(hierarchies: Hierarchies, parent: str) -> None:
    """Leave it again, ourselves and for good; the last one removes it."""
    for _, point in _tracked(hierarchies):
        directory = f"{point}/{parent}/{NAME}"
        with contextlib.suppress(OSError):
            if os.path.isdir(directory):
                write_value(point, "cgroup.procs", str(os.getpid()))
        layout.remove_if_empty(directory)
        layout.remove_if_empty(f"{point}/{parent}")


def _tracked(hierarchies: Hierarchies) -> Iterator[tuple[str, str]]:
    if "name=systemd" in hierarchies.v1:
        yield "name=systemd", hierarchies.v1["name=systemd"]
    if hierarchies.v2:
        yield V2, hierarchies.v2
