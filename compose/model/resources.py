"""Limits of a service: memory, processors, processes, log files, restarts."""

from __future__ import annotations

from compose.model.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Literal

DEFAULT_PERIOD_US = 100_000  # of the kernel's scheduler, in which a quota counts


class Resources(Record):
    """Limits of each container (Compose: mem_limit, cpus ... and deploy.resources). None: no limit.

    memory_swap_bytes   memory and swap together; -1 unlimited
    cpus                a quota in a period counts as its quotient
    cpu_shares          weight relative to other containers
    cpu_rt_*_us         of real-time processes
    cpuset              the processors it may use, as `0-3,5`
    swappiness          0 to 100: how soon memory that is not used is swapped out
    """

    memory_bytes: int | None = None
    memory_reservation_bytes: int | None = None
    memory_swap_bytes: int | None = None
    cpus: float | None = None
    cpu_shares: int | None = None
    pids: int | None = None
    cpu_period_us: int | None = None
    cpu_quota_us: int | None = None
    cpu_rt_period_us: int | None = None
    cpu_rt_runtime_us: int | None = None
    cpuset: str | None = None
    swappiness: int | None = None
    oom_kill_disable: bool = False


class RestartPolicy(Record):
    """When a container that ended is started again (Compose: restart, deploy.restart_policy)."""

    name: Literal["no", "always", "on-failure", "unless-stopped"] = "no"
    max_attempts: int = 0  # on-failure: 0 is without end


class Logging(Record):
    """Where output goes (Compose: services.logging). None: the engine's or the driver's default.

    max_size_bytes  of one file; 0: without end
    attributes      the options of json-file that say what is written beside each entry
    """

    driver: str | None = None
    max_size_bytes: int | None = None
    max_files: int | None = None
    compress: bool | None = None
    attributes: Mapping[str, str] = {}
    options: Mapping[str, str] = {}  # all of them, as written
