"""What there is to see, to open and to write: mounts, devices, masked paths, our files."""

from __future__ import annotations

import contextlib
import os
import stat
from typing import TYPE_CHECKING

from tests.fingerprint.inside.process import text

if TYPE_CHECKING:
    from collections.abc import Iterator

LOOKED_AT = """/ /.dockerenv /tmp /dev /dev/shm /dev/pts /dev/mqueue /proc /sys /sys/fs/cgroup
/etc/hosts /etc/hostname /etc/resolv.conf /etc/mtab /sbin/docker-init /run /var/run /root"""
HIDDEN = """/proc/acpi /proc/asound /proc/interrupts /proc/kcore /proc/keys /proc/latency_stats
/proc/sched_debug /proc/scsi /proc/timer_list /proc/timer_stats /sys/devices/virtual/powercap
/sys/firmware /sys/devices/system/cpu/cpu0/thermal_throttle /proc/kallsyms /proc/kmsg /proc/bus
/proc/fs /proc/irq /sys/kernel/security /sys/kernel/debug /sys/fs/bpf /sys/fs/selinux"""
WRITTEN = """/proc/sys/kernel/core_pattern /proc/sys/kernel/hostname /proc/sys/kernel/domainname
/proc/sys/kernel/modprobe /proc/sys/vm/overcommit_memory /proc/sys/net/ipv4/ip_forward
/proc/sys/net/ipv4/ping_group_range /proc/sys/kernel/shmmax /proc/sys/fs/mqueue/msg_max
/proc/sys/user/max_user_namespaces /proc/sysrq-trigger /proc/irq/default_smp_affinity /proc/mtrr
/proc/self/oom_score_adj /proc/self/attr/exec /proc/1/comm /proc/bus/pci /proc/timer_list
/sys/kernel/uevent_helper /sys/power/state /sys/kernel/mm/transparent_hugepage/enabled
/sys/class/net/lo/mtu /sys/fs/cgroup/memory/memory.limit_in_bytes
/sys/fs/cgroup/memory/notify_on_release /sys/fs/cgroup/devices/devices.allow
/sys/fs/cgroup/cgroup.procs /sys/fs/cgroup/memory.max /sys/fs/cgroup/pids/cgroup.procs
/etc/hosts /etc/hostname /etc/resolv.conf /etc/passwd /dev/null /dev/full /dev/shm/x /tmp/x
/dev/mqueue/x /dev/x /x /run/x"""
OPENED = """c:1:1 c:1:2 c:1:3 c:1:4 c:1:5 c:1:7 c:1:8 c:1:9 c:1:11 c:4:0 c:4:64 c:5:0 c:5:1 c:5:2
c:10:144 c:10:200 c:10:229 c:10:237 c:136:0 b:7:0 b:8:0 b:254:0"""


def facts() -> dict[str, str]:
    """Names and values."""
    return dict(_facts())


def _facts() -> Iterator[tuple[str, str]]:
    yield from _mounts()
    yield from _devices()
    for path in LOOKED_AT.split():
        yield f"path {path}", _described(path)
    for path in HIDDEN.split():
        yield f"hidden {path}", _seen(path)
    for path in WRITTEN.split():
        yield f"write {path}", _writing(path)
    for device in OPENED.split():
        yield f"device {device}", _opening(device)
    for name in ("hosts", "hostname", "resolv.conf"):
        yield f"content of {name}", text(f"/etc/{name}")
    yield "top", " ".join(sorted(os.listdir("/")))  # noqa: PTH208


def _mounts() -> Iterator[tuple[str, str]]:
    """A later mount over the same path has a number behind it. All but ids and numbers."""
    counts: dict[str, int] = {}
    for line in text("/proc/self/mountinfo").splitlines():
        own, _, of_file_system = line.partition(" - ")
        _, _, _, root, target, options, *propagation = own.split(" ")
        fstype, source, super_options = of_file_system.split(" ")
        counts[target] = counts.get(target, 0) + 1
        name = f"mount {target}" + (f" {counts[target]}" if counts[target] > 1 else "")
        yield f"{name}: type", fstype
        yield f"{name}: source", source
        yield f"{name}: root", root
        yield f"{name}: options", _sorted(options)
        yield f"{name}: super options", _sorted(super_options)
        yield f"{name}: propagation", " ".join(word.partition(":")[0] for word in propagation)


def _sorted(options: str) -> str:
    return ",".join(sorted(options.split(",")))


def _devices() -> Iterator[tuple[str, str]]:
    for name in sorted(os.listdir("/dev")):  # noqa: PTH208
        yield f"node {name}", _described(f"/dev/{name}")
    yield "terminals", " ".join(sorted(os.listdir("/dev/pts")))  # noqa: PTH208


def _described(path: str) -> str:
    try:
        found = os.lstat(path)
    except OSError as error:
        return os.strerror(error.errno or 0)
    owned = f"{stat.filemode(found.st_mode)} {found.st_uid}:{found.st_gid}"
    if stat.S_ISLNK(found.st_mode):
        return f"{owned} to {os.readlink(path)}"  # noqa: PTH115
    if stat.S_ISCHR(found.st_mode) or stat.S_ISBLK(found.st_mode):
        return f"{owned} {os.major(found.st_rdev)}:{os.minor(found.st_rdev)}"
    return owned


def _seen(path: str) -> str:
    """Whether there is something, and whether it has content for us."""
    described = _described(path)
    try:
        if described.startswith("d"):
            return f"{described} {'entries' if os.listdir(path) else 'empty'}"  # noqa: PTH208
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError as error:
        return f"{described} {os.strerror(error.errno or 0)}"
    try:
        return f"{described} {'content' if os.read(fd, 1) else 'empty'}"
    except OSError as error:
        return f"{described} {os.strerror(error.errno or 0)}"
    finally:
        os.close(fd)


def _writing(path: str) -> str:
    """Opening it for writing; nothing is written."""
    flags = os.O_WRONLY | os.O_NONBLOCK
    new = os.path.basename(path) == "x"  # noqa: PTH119
    try:
        os.close(os.open(path, flags | (os.O_CREAT if new else 0)))
    except OSError as error:
        return os.strerror(error.errno or 0)
    if new:
        os.unlink(path)  # noqa: PTH108
    return "opens"


def _opening(device: str) -> str:
    """Making a node for it, then opening that."""
    kind, major, minor = device.split(":")
    path = f"/tmp/node-{major}-{minor}"
    mode = (stat.S_IFCHR if kind == "c" else stat.S_IFBLK) | 0o600
    try:
        os.mknod(path, mode, os.makedev(int(major), int(minor)))
    except OSError as error:
        return f"mknod: {os.strerror(error.errno or 0)}"
    try:
        os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY))
    except OSError as error:
        return f"open: {os.strerror(error.errno or 0)}"
    finally:
        with contextlib.suppress(OSError):
            os.unlink(path)  # noqa: PTH108
    return "opens"
