"""The kernel's settings that are the container's own: sysctls, network, control groups."""

from __future__ import annotations

import fcntl
import os
import socket
import struct
from pathlib import Path
from typing import TYPE_CHECKING

from tests.fingerprint.inside.process import text

if TYPE_CHECKING:
    from collections.abc import Iterator

TREES = ("net", "fs/mqueue")
SINGLE = """kernel/hostname kernel/domainname kernel/sem kernel/msgmax kernel/msgmnb kernel/msgmni
kernel/shmall kernel/shmmax kernel/shmmni kernel/shm_rmid_forced
kernel/cap_last_cap"""
CHANGING = ("/netfilter/", "/unix/", "/rds/", "conf/all/mc_forwarding")
CGROUP = """cpu.shares cpu.cfs_quota_us cpu.cfs_period_us cpuset.cpus cpuset.mems pids.max
memory.limit_in_bytes memory.soft_limit_in_bytes memory.memsw.limit_in_bytes memory.swappiness
memory.oom_control memory.kmem.limit_in_bytes devices.list blkio.weight freezer.state cpu.weight
cpu.max memory.max memory.low memory.high memory.swap.max notify_on_release cgroup.clone_children
release_agent"""
SIOCGIFFLAGS = 0x8913


def facts() -> dict[str, str]:
    """Names and values."""
    return dict(_facts())


def _facts() -> Iterator[tuple[str, str]]:
    for tree in TREES:
        yield from _tree(Path("/proc/sys") / tree)
    for name in SINGLE.split():
        yield f"sysctl {name}", text(f"/proc/sys/{name}")
    yield from _network()
    yield from _cgroups()
    yield "host name", os.uname().nodename


def _tree(top: Path) -> Iterator[tuple[str, str]]:
    for directory, _, names in os.walk(top):
        for name in names:
            path = f"{directory}/{name}"
            if not any(part in path for part in CHANGING):
                yield f"sysctl {path.removeprefix('/proc/sys/')}", " ".join(text(path).split())


def _network() -> Iterator[tuple[str, str]]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        for _, name in sorted(socket.if_nameindex()):
            answer = fcntl.ioctl(probe, SIOCGIFFLAGS, struct.pack("16sH14x", name.encode(), 0))
            yield f"interface {name}: flags", f"{struct.unpack('16sH14x', answer)[1]:x}"
            yield f"interface {name}: mtu", text(f"/sys/class/net/{name}/mtu")
            yield f"interface {name}: address", text(f"/sys/class/net/{name}/address")
    yield "routes", _table("/proc/net/route")
    yield "IPv6 addresses", _table("/proc/net/if_inet6")
    yield "sockets that listen", str(len(text("/proc/net/tcp").splitlines()) - 1)


def _table(path: str) -> str:
    return " / ".join(" ".join(line.split()) for line in text(path).splitlines())


def _cgroups() -> Iterator[tuple[str, str]]:
    """Its own group in each hierarchy, as it is to be seen inside."""
    top = Path("/sys/fs/cgroup")
    for directory in sorted(path for path in top.iterdir() if path.is_dir()):
        for name in CGROUP.split():
            if (directory / name).exists():
                lines = sorted(text(str(directory / name)).splitlines())
                yield f"cgroup {directory.name}/{name}", " / ".join(lines)
        children = [path for path in directory.iterdir() if path.is_dir()]
        yield f"cgroup {directory.name}: children", str(len(children))
        procs = text(f"{directory}/cgroup.procs").split()
        yield f"cgroup {directory.name}: has us", str(str(os.getpid()) in procs)
    yield "cgroup hierarchies", " ".join(sorted(os.listdir(top)))  # noqa: PTH208
