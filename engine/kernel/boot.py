"""Which run of the kernel this is."""

from __future__ import annotations


def boot_id() -> str:
    """Another one after each start of the host. Source: proc_sys_kernel(5), random/boot_id."""
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        return file.read().strip()
