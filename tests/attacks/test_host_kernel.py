"""E6, E7, E17: from a container to the kernel that it shares with the host."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.marks import needs_root

if TYPE_CHECKING:
    from tests.engine.containers.dock import Dock

pytestmark = needs_root

HELPERS = """/proc/sys/kernel/core_pattern /proc/sys/kernel/modprobe /proc/sys/kernel/hotplug
/proc/sys/kernel/usermodehelper/inheritable /proc/sys/fs/binfmt_misc/register /proc/sysrq-trigger
/sys/kernel/uevent_helper /sys/fs/cgroup/release_agent /sys/fs/cgroup/memory/release_agent
/sys/fs/cgroup/pids/release_agent /sys/fs/cgroup/systemd/release_agent"""


def test_no_file_names_a_program_that_the_kernel_would_run(dock: Dock) -> None:
    """The classes of release_agent, core_pattern and uevent_helper."""
    script = "for f in $*; do [ -e $f ] && { echo x > $f; } 2>/dev/null && echo WRITTEN $f; done"
    more = {"cap_add": ("NET_ADMIN", "SYS_PTRACE", "SYS_RAWIO", "SYS_NICE")}
    asked: list[dict[str, Any]] = [{}, more]
    for options in asked:
        ended = dock.end_of(dock.start("sh", "-c", script, "-", *HELPERS.split(), **options))
        assert ended.stdout == ""


@pytest.mark.parametrize(
    "way",
    [
        "mount -t cgroup -o memory x /tmp/c",
        "mount -t cgroup2 x /tmp/c",
        "unshare -r -m mount -t cgroup -o memory x /tmp/c",
        "unshare -r true",
        "mount -o remount,rw /sys/fs/cgroup",
    ],
)
def test_no_hierarchy_can_be_mounted_to_write_to(dock: Dock, way: str) -> None:
    """CVE-2022-0492: a user namespace of one's own was enough."""
    ended = dock.sh(f"mkdir /tmp/c; {way} 2>&1; ls /tmp/c")
    assert "not permitted" in ended.stdout or "denied" in ended.stdout
    assert "release_agent" not in ended.stdout


def test_one_who_may_mount_finds_no_release_agent_either(dock: Dock) -> None:
    """With SYS_ADMIN: the root of each hierarchy is the container's own group."""
    script = """mkdir /tmp/c /tmp/n
    mount -t cgroup -o memory x /tmp/c && find /tmp/c /sys/fs/cgroup -name release_agent
    mount -t cgroup -o none,name=evil x /tmp/n 2>/dev/null && echo MOUNTED
    cat /tmp/c/cgroup.procs"""
    ended = dock.sh(script, cap_add=("SYS_ADMIN",))
    assert not [line for line in ended.lines if not line.isdigit()]
    assert len(ended.lines) <= 3  # none but its own processes


def test_it_cannot_leave_its_control_groups(dock: Dock) -> None:
    script = "for f in /sys/fs/cgroup/*/cgroup.procs /sys/fs/cgroup/*/tasks; do"
    script += " { echo $$ > $f; } 2>/dev/null && echo LEFT $f; done; cat /proc/self/cgroup"
    ended = dock.sh(script)
    assert "LEFT" not in ended.stdout
    assert all(line.endswith(":/") for line in ended.lines)


LEAKS = """/proc/kcore /proc/keys /proc/timer_list /proc/interrupts /proc/kmsg /proc/kpagecount
/proc/kpageflags /proc/vmallocinfo /proc/slabinfo /sys/firmware/dmi/tables/DMI
/sys/class/powercap/intel-rapl:0/energy_uj /sys/kernel/debug/sched /dev/mem
/dev/kmem /dev/port /dev/kmsg"""


def test_a_user_reads_nothing_of_the_kernels_memory_and_meters(dock: Dock) -> None:
    script = "for f in $*; do head -c 1 $f 2>/dev/null | grep -q . && echo READ $f; done; true"
    container = dock.start("sh", "-c", script, "-", *LEAKS.split(), user="app")
    assert dock.end_of(container).stdout == ""
    throttles = list(Path("/sys/devices/system/cpu").glob("cpu*/thermal_throttle"))
    shown = dock.sh("ls /sys/devices/system/cpu/cpu*/thermal_throttle 2>/dev/null | grep -v :")
    assert shown.stdout.strip() == "" or not throttles


def test_addresses_of_the_kernel_are_not_shown(dock: Dock) -> None:
    ended = dock.sh("cut -d' ' -f1 /proc/kallsyms | sort -u | head -2; ls -l /proc/net/unix")
    assert ended.lines[0] in ("0000000000000000", "")
