"""The default profile: Docker's choice, rule by rule."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

import pytest

from engine.containers.seccomp import default_file, default_filter
from engine.kernel.capabilities import DEFAULT, NAMES
from engine.kernel.seccomp import ALLOW, AUDIT_ARCH, ERRNO, MAX_INSTRUCTIONS
from engine.kernel.syscalls import numbers
from tests.engine.kernel.test_seccomp import run

if TYPE_CHECKING:
    from engine import Roots

PERM, NOSYS = ERRNO | errno.EPERM, ERRNO | errno.ENOSYS
NUMBERS = numbers("x86_64")
CLONE_NEWTIME = 0x80


def ask(name: str, *arguments: int, granted: list[str] | None = None) -> int:
    program = default_filter(DEFAULT if granted is None else granted)
    return run(program, AUDIT_ARCH["x86_64"], NUMBERS[name], arguments)


NEEDED = """\
read write openat execve mmap futex fork vfork kill ptrace process_vm_readv mknod openat2
clock_gettime prctl seccomp memfd_create io_setup statx rseq epoll_pwait2 cachestat
landlock_create_ruleset arch_prctl modify_ldt name_to_handle_at chroot"""

LEADS_OUT = """\
mount umount2 pivot_root unshare setns bpf perf_event_open keyctl add_key request_key
io_uring_setup io_uring_enter io_uring_register userfaultfd kexec_load init_module
finit_module delete_module reboot swapon swapoff settimeofday clock_settime acct
open_by_handle_at iopl ioperm kcmp quotactl syslog vhangup mbind set_mempolicy
lookup_dcookie nfsservctl uselib ustat sysfs fsopen move_mount open_tree
sethostname setdomainname pidfd_getfd process_madvise fanotify_init"""


@pytest.mark.parametrize("name", NEEDED.split())
def test_what_programs_need_is_allowed(name: str) -> None:
    assert ask(name) == ALLOW


@pytest.mark.parametrize("name", LEADS_OUT.split())
def test_what_leads_out_is_not(name: str) -> None:
    assert ask(name) == PERM


@pytest.mark.parametrize(
    ("capability", "name"),
    [
        ("SYS_ADMIN", "mount"),
        ("SYS_ADMIN", "clone3"),
        ("SYS_ADMIN", "unshare"),
        ("SYS_BOOT", "reboot"),
        ("SYS_CHROOT", "chroot"),
        ("SYS_MODULE", "init_module"),
        ("SYS_PACCT", "acct"),
        ("SYS_PTRACE", "kcmp"),
        ("SYS_RAWIO", "iopl"),
        ("SYS_TIME", "settimeofday"),
        ("SYS_TTY_CONFIG", "vhangup"),
        ("SYS_NICE", "mbind"),
        ("SYSLOG", "syslog"),
        ("BPF", "bpf"),
        ("PERFMON", "perf_event_open"),
        ("DAC_READ_SEARCH", "open_by_handle_at"),
    ],
)
def test_a_capability_brings_its_calls(capability: str, name: str) -> None:
    assert ask(name, granted=[]) != ALLOW
    assert ask(name, granted=[capability]) == ALLOW


def test_namespaces_are_not_made_by_clone() -> None:
    for flag in (0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000):
        assert ask("clone", flag | 17) == PERM
        assert ask("clone", flag | 17, granted=["SYS_ADMIN"]) == ALLOW
    assert ask("clone", 17) == ask("clone", 0x3D0F00) == ask("clone", CLONE_NEWTIME) == ALLOW


def test_clone3_seems_not_to_exist() -> None:
    assert ask("clone3") == NOSYS


def test_sockets_are_of_any_family_but_two() -> None:
    refused = [family for family in range(50) if ask("socket", family) != ALLOW]
    assert refused == [38, 40]
    assert ask("socket", 2**64 - 1) == ALLOW


def test_personalities_are_the_harmless_ones() -> None:
    allowed = [value for value in range(0x20010) if value in (0, 8, 0x20000, 0x20008)]
    assert all(ask("personality", value) == ALLOW for value in (*allowed, 0xFFFFFFFF))
    assert all(ask("personality", value) == PERM for value in (1, 0x40000, 0x20009, 2**32))


def test_a_call_from_the_future_seems_not_to_exist() -> None:
    program = default_filter(DEFAULT)
    assert run(program, AUDIT_ARCH["x86_64"], 5000) == NOSYS


def test_the_32_bit_calls_have_the_same_rules() -> None:
    program, compatible = default_filter(DEFAULT), numbers("i386")
    for name, answer in (("read", ALLOW), ("mount", PERM), ("clone3", NOSYS), ("keyctl", PERM)):
        assert run(program, AUDIT_ARCH["i386"], compatible[name]) == answer


@pytest.mark.parametrize("granted", [[], DEFAULT, NAMES], ids=["none", "default", "all"])
def test_the_program_is_of_a_size_the_kernel_takes(granted: list[str]) -> None:
    assert len(default_filter(granted)) // 8 < MAX_INSTRUCTIONS / 2


def test_one_file_serves_all_containers_of_the_same_capabilities(roots: Roots) -> None:
    one, two = default_file(roots, ["CHOWN", "KILL"]), default_file(roots, ["KILL", "CHOWN"])
    assert one == two
    assert default_file(roots, ["CHOWN"]) != one
