"""The default seccomp profile, and the filter that it comes to for one container.

Which calls are allowed is Docker's choice (engine.md A12): a container that works there works here.
"""

from __future__ import annotations

import errno
import hashlib
import os
from typing import TYPE_CHECKING

from engine.errors import ContainerProblem
from engine.kernel.seccomp import (
    ALLOW,
    AUDIT_ARCH,
    ERRNO,
    SPEC_ALLOW,
    Rule,
    Test,
    compile_filter,
)
from engine.kernel.syscalls import numbers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from engine.containers.spec import ContainerSpec
    from engine.state.paths import Roots

_ALLOWED = """\
_llseek _newselect accept accept4 access adjtimex alarm bind brk cachestat capget capset
chdir chmod chown chown32 clock_adjtime clock_adjtime64 clock_getres clock_getres_time64
clock_gettime clock_gettime64 clock_nanosleep clock_nanosleep_time64 close close_range
connect copy_file_range creat dup dup2 dup3 epoll_create epoll_create1 epoll_ctl
epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old eventfd eventfd2 execve
execveat exit exit_group faccessat faccessat2 fadvise64 fadvise64_64 fallocate fanotify_mark
fchdir fchmod fchmodat fchmodat2 fchown fchown32 fchownat fcntl fcntl64 fdatasync fgetxattr
flistxattr flock fork fremovexattr fsetxattr fstat fstat64 fstatat64 fstatfs fstatfs64 fsync
ftruncate ftruncate64 futex futex_requeue futex_time64 futex_wait futex_waitv futex_wake
futimesat get_robust_list get_thread_area getcpu getcwd getdents getdents64 getegid
getegid32 geteuid geteuid32 getgid getgid32 getgroups getgroups32 getitimer getpeername
getpgid getpgrp getpid getppid getpriority getrandom getresgid getresgid32 getresuid
getresuid32 getrlimit getrusage getsid getsockname getsockopt gettid gettimeofday getuid
getuid32 getxattr getxattrat inotify_add_watch inotify_init inotify_init1 inotify_rm_watch
io_cancel io_destroy io_getevents io_pgetevents io_pgetevents_time64 io_setup io_submit
ioctl ioprio_get ioprio_set ipc kill landlock_add_rule landlock_create_ruleset
landlock_restrict_self lchown lchown32 lgetxattr link linkat listen listmount listxattr
listxattrat llistxattr lremovexattr lseek lsetxattr lstat lstat64 madvise map_shadow_stack
membarrier memfd_create memfd_secret mincore mkdir mkdirat mknod mknodat mlock mlock2
mlockall mmap mmap2 mprotect mq_getsetattr mq_notify mq_open mq_timedreceive
mq_timedreceive_time64 mq_timedsend mq_timedsend_time64 mq_unlink mremap mseal msgctl msgget
msgrcv msgsnd msync munlock munlockall munmap name_to_handle_at nanosleep newfstatat open
openat openat2 pause pidfd_open pidfd_send_signal pipe pipe2 pkey_alloc pkey_free
pkey_mprotect poll ppoll ppoll_time64 prctl pread64 preadv preadv2 prlimit64
process_mrelease pselect6 pselect6_time64 pwrite64 pwritev pwritev2 read readahead readlink
readlinkat readv recv recvfrom recvmmsg recvmmsg_time64 recvmsg remap_file_pages removexattr
removexattrat rename renameat renameat2 restart_syscall riscv_hwprobe rmdir rseq
rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend
rt_sigtimedwait rt_sigtimedwait_time64 rt_tgsigqueueinfo sched_get_priority_max
sched_get_priority_min sched_getaffinity sched_getattr sched_getparam sched_getscheduler
sched_rr_get_interval sched_rr_get_interval_time64 sched_setaffinity sched_setattr
sched_setparam sched_setscheduler sched_yield seccomp select semctl semget semop semtimedop
semtimedop_time64 send sendfile sendfile64 sendmmsg sendmsg sendto set_robust_list
set_thread_area set_tid_address setfsgid setfsgid32 setfsuid setfsuid32 setgid setgid32
setgroups setgroups32 setitimer setpgid setpriority setregid setregid32 setresgid
setresgid32 setresuid setresuid32 setreuid setreuid32 setrlimit setsid setsockopt setuid
setuid32 setxattr setxattrat shmat shmctl shmdt shmget shutdown sigaltstack signalfd
signalfd4 sigprocmask sigreturn socketcall socketpair splice stat stat64 statfs statfs64
statmount statx symlink symlinkat sync sync_file_range syncfs sysinfo tee tgkill time
timer_create timer_delete timer_getoverrun timer_gettime timer_gettime64 timer_settime
timer_settime64 timerfd_create timerfd_gettime timerfd_gettime64 timerfd_settime
timerfd_settime64 times tkill truncate truncate64 ugetrlimit umask uname unlink unlinkat
uretprobe utime utimensat utimensat_time64 utimes vfork vmsplice wait4 waitid waitpid write
writev"""

# Allowed to those who have the capability in their bounding set.
_BY_CAPABILITY = {
    "BPF": "bpf",
    "DAC_READ_SEARCH": "open_by_handle_at",
    "PERFMON": "perf_event_open",
    "SYSLOG": "syslog",
    "SYS_ADMIN": (
        "bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie "
        "lsm_get_self_attr lsm_list_modules lsm_set_self_attr mount mount_setattr move_mount "
        "open_tree perf_event_open quotactl quotactl_fd setdomainname sethostname setns syslog "
        "umount umount2 unshare"
    ),
    "SYS_BOOT": "reboot",
    "SYS_CHROOT": "chroot",
    "SYS_MODULE": "delete_module init_module finit_module",
    "SYS_NICE": "get_mempolicy mbind set_mempolicy set_mempolicy_home_node",
    "SYS_PACCT": "acct",
    "SYS_PTRACE": ("kcmp pidfd_getfd process_madvise process_vm_readv process_vm_writev ptrace"),
    "SYS_RAWIO": "iopl ioperm",
    "SYS_TIME": "settimeofday stime clock_settime clock_settime64",
    "SYS_TTY_CONFIG": "vhangup",
}
_BY_ARCHITECTURE = {
    "x86_64": "arch_prctl modify_ldt",
    "i386": "arch_prctl modify_ldt",
    "aarch64": "sync_file_range2",
}
_TRACING = "process_vm_readv process_vm_writev ptrace"  # safe next to seccomp since Linux 4.8

# clone() may not make namespaces: every CLONE_NEW* flag but CLONE_NEWTIME.
_NAMESPACE_FLAGS = 0x7E020000
_AF_ALG, _AF_VSOCK = 38, 40
_PERSONALITIES = (0x0, 0x8, 0x20000, 0x20008, 0xFFFFFFFF)

_TOGETHER = {"x86_64": ("x86_64", "i386"), "aarch64": ("aarch64",)}


def default_filter(capabilities: Iterable[str]) -> bytes:
    """The compiled default profile for a container with these bounding capabilities."""
    capabilities = frozenset(capabilities)
    architectures = _TOGETHER[os.uname().machine]
    tables = {name: _rules(name, capabilities) for name in architectures}
    return compile_filter(tables, ERRNO | errno.EPERM)


def filter_file(
    roots: Roots, spec: ContainerSpec, granted: Iterable[str], profile: str
) -> tuple[str | None, int]:
    """Path of the compiled profile of a container, and the flags of seccomp(2) for it.

    granted  capabilities of its bounding set
    profile  "builtin", "unconfined" (there is no path then) or JSON in Docker's form

    Raises ContainerProblem for what is no profile.
    """
    if profile == "builtin":
        return (default_file(roots, granted) if is_available() else None), SPEC_ALLOW
    if profile == "unconfined":
        return None, SPEC_ALLOW
    from engine.containers.dockerprofile import oci_profile
    from engine.containers.profile import ProfileError, filter_of, flags_of

    try:
        described = oci_profile(profile, frozenset(granted))
        program = filter_of(described)
        flags = flags_of(described) if "flags" in described else SPEC_ALLOW
    except ProfileError as error:
        raise ContainerProblem(
            f"container {spec.name}: the seccomp profile cannot be used: {error}",
            hint="Docker's default, in moby/profiles, shows the form",
            code="seccomp-profile",
        ) from None
    key = hashlib.sha256(program).hexdigest()[:16]
    return _written(roots, f"given-{key}", lambda: program), flags


def default_file(roots: Roots, capabilities: Iterable[str]) -> str:
    """Path of the compiled default profile, made at first use and shared by all containers."""
    words = " ".join(sorted(capabilities))
    key = hashlib.sha256(f"{_PROFILE_VERSION} {words}".encode()).hexdigest()[:16]
    return _written(roots, key, lambda: default_filter(words.split()))


def _written(roots: Roots, key: str, make: Callable[[], bytes]) -> str:
    path = f"{roots.run_root}/seccomp/{key}.bpf"
    if not os.path.exists(path):
        os.makedirs(f"{roots.run_root}/seccomp", mode=0o700, exist_ok=True)
        temporary = f"{path}.{os.getpid()}"
        with open(temporary, "wb") as file:
            file.write(make())
        os.rename(temporary, path)
    return path


def is_available() -> bool:
    """Whether we know the system calls of this machine's architecture."""
    return os.uname().machine in AUDIT_ARCH


def _rules(architecture: str, capabilities: frozenset[str]) -> dict[int, Rule]:
    names = [*_ALLOWED.split(), *_TRACING.split(), *_BY_ARCHITECTURE[architecture].split()]
    for capability, allowed in _BY_CAPABILITY.items():
        if capability in capabilities:
            names += allowed.split()
    rules = {name: Rule(ALLOW) for name in names}
    denied = ERRNO | errno.EPERM
    rules["socket"] = Rule(
        denied,
        (
            ((Test(0, "lt", _AF_ALG),), ALLOW),
            ((Test(0, "eq", _AF_ALG + 1),), ALLOW),
            ((Test(0, "gt", _AF_VSOCK),), ALLOW),
        ),
    )
    rules["personality"] = Rule(
        denied, tuple(((Test(0, "eq", value),), ALLOW) for value in _PERSONALITIES)
    )
    if "SYS_ADMIN" not in capabilities:
        rules["clone"] = Rule(denied, (((Test(0, "masked_eq", 0, _NAMESPACE_FLAGS),), ALLOW),))
        # Its flags are behind a pointer, out of a filter's sight: libc falls back to clone.
        rules["clone3"] = Rule(ERRNO | errno.ENOSYS)
    known = numbers(architecture)
    return {known[name]: rule for name, rule in rules.items() if name in known}


_PROFILE_VERSION = 2
