"""What `process` of config.json says of scheduling: how it is to run, whatever it is."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def apply(process: dict[str, Any]) -> None:
    """`scheduler` and `ioPriority`; what is not there is left.

    While it still has the right to: before its credentials are set. Raises OSError.
    """
    scheduler, io_priority = process.get("scheduler"), process.get("ioPriority")
    if not scheduler and not io_priority:
        return
    from engine.kernel import scheduling

    if scheduler:
        scheduling.set_scheduler(
            scheduler["policy"],
            nice=scheduler.get("nice", 0),
            priority=scheduler.get("priority", 0),
            flags=scheduler.get("flags") or (),
            runtime_ns=scheduler.get("runtime", 0),
            deadline_ns=scheduler.get("deadline", 0),
            period_ns=scheduler.get("period", 0),
        )
    if io_priority:
        scheduling.set_io_priority(io_priority["class"], io_priority.get("priority", 0))


def pin(process: dict[str, Any], moment: str) -> None:
    """`execCPUAffinity` of an exec. moment: `initial`, before it is in the container's cgroup
    (whose cpuset would undo it), or `final`, after."""
    cpus = (process.get("execCPUAffinity") or {}).get(moment)
    if cpus:
        from engine.kernel import scheduling

        os.sched_setaffinity(0, scheduling.parse_cpus(cpus))
