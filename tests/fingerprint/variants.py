"""The containers that are compared: what the peer's command line says, and our own words for it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from engine import Resources

MEBIBYTE = 1 << 20  # enough of them for runc, which starts inside of the limit


@dataclass(frozen=True)
class Variant:
    """One way to run a container.

    docker  options of `docker run`
    buoy    fields of a ContainerSpec
    joined  the probe is a further process (`exec`) in a container that does nothing
    """

    name: str
    docker: tuple[str, ...] = ()
    buoy: dict[str, Any] = field(default_factory=dict)
    joined: bool = False


LIMITS = """--memory 256m --memory-reservation 32m --memory-swap 512m --cpus 0.5 --cpu-shares 512
--pids-limit 50 --ulimit nofile=100:200 --ulimit core=0 --shm-size 32m --oom-score-adj 100
--sysctl net.ipv4.ip_forward=0 --sysctl kernel.shmmax=65536"""

VARIANTS = (
    Variant("plain"),
    Variant("privileged", ("--privileged",), {"privileged": True}),
    Variant("read-only", ("--read-only",), {"read_only": True}),
    Variant(
        "user",
        ("--user", "app", "--group-add", "4242", "--workdir", "/home/app/work"),
        {"user": "app", "group_add": ("4242",), "working_dir": "/home/app/work"},
    ),
    Variant("numeric user", ("--user", "1234:50"), {"user": "1234:50"}),
    Variant(
        "more capabilities",
        ("--cap-add", "SYS_ADMIN", "--cap-add", "SYS_PTRACE", "--cap-drop", "CHOWN"),
        {"cap_add": ("SYS_ADMIN", "SYS_PTRACE"), "cap_drop": ("CHOWN",)},
    ),
    Variant(
        "no capabilities",
        ("--cap-drop", "ALL", "--security-opt", "no-new-privileges"),
        {"cap_drop": ("ALL",), "security_options": ("no-new-privileges",)},
    ),
    Variant("terminal", ("--tty",), {"tty": True}),
    Variant("init", ("--init",), {"init": True}),
    Variant(
        "limits",
        tuple(LIMITS.split()),
        {
            "resources": Resources(
                memory_bytes=256 * MEBIBYTE,
                memory_reservation_bytes=32 * MEBIBYTE,
                memory_swap_bytes=512 * MEBIBYTE,
                cpus=0.5,
                cpu_shares=512,
                pids=50,
            ),
            "ulimits": {"nofile": (100, 200), "core": (0, 0)},
            "shm_size_bytes": 32 * MEBIBYTE,
            "oom_score_adj": 100,
            "sysctls": {"net.ipv4.ip_forward": "0", "kernel.shmmax": "65536"},
        },
    ),
    Variant("exec", joined=True),
)
