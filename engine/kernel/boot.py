"""Which run of the kernel this is."""

from __future__ import annotations

from engine.kernel.settings import read_setting


def boot_id() -> str:
    """Another one after each start of the host. Source: proc_sys_kernel(5), random/boot_id."""
    return read_setting("/proc/sys/kernel/random/boot_id")
