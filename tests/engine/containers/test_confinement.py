"""What a container must not be able to do, tried from inside (engine.md A4, A6, A12, E)."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine import ContainerProblem
from engine.cgroups.hierarchy import Hierarchies
from engine.kernel import capabilities
from engine.rootfs.masks import MASKED
from tests.engine.containers.dock import status_of
from tests.marks import needs_root

if TYPE_CHECKING:
    from tests.engine.containers.dock import Dock

pytestmark = needs_root

DEFAULT_CAPABILITIES = 0x00000000A80425FB  # what Docker's default comes to


# --- what is to be seen


def test_only_its_own_processes_are_there(dock: Dock) -> None:
    ended = dock.sh("ls -d /proc/[0-9]*; echo $$")
    assert ended.lines[-1] == "1"
    assert set(ended.lines[:-1]) <= {f"/proc/{pid}" for pid in range(1, 5)}


def test_only_its_own_mounts_are_there(dock: Dock) -> None:
    ended = dock.sh("cut -d' ' -f2,3 /proc/mounts")
    assert ended.lines[:7] == [
        *("/ overlay", "/proc proc", "/dev tmpfs", "/dev/pts devpts", "/sys sysfs"),
        *("/sys/fs/cgroup tmpfs", ended.lines[6]),
    ]
    covered = ("/proc/", "/sys/", "/dev/", "/etc/h", "/etc/resolv.conf")
    rest = [line for line in ended.lines[5:] if not line.startswith(covered)]
    assert rest == []


def test_its_mounts_do_not_reach_the_host(dock: Dock) -> None:
    container = dock.idle()
    inside = Path(f"/proc/{container.pid}/mountinfo").read_text()
    assert "shared:" not in inside
    assert "master:" not in inside
    assert container.id not in Path("/proc/self/mountinfo").read_text()


def test_nothing_but_standard_devices_is_in_dev(dock: Dock) -> None:
    listed = dock.sh("cd /dev; stat -c '%n %F %a %t:%T' * | sort").lines
    assert [line for line in listed if "character" in line] == [
        f"{name} character special file 666 {numbers}"
        for name, numbers in (
            ("full", "1:7"),
            ("null", "1:3"),
            ("random", "1:8"),
            ("tty", "5:0"),
            ("urandom", "1:9"),
            ("zero", "1:5"),
        )
    ]
    assert not any("block" in line for line in listed)
    names = "fd stdin stdout stderr ptmx"
    links = dock.sh(f"for n in {names}; do readlink /dev/$n; done").lines
    assert links == ["/proc/self/fd", *(f"/proc/self/fd/{n}" for n in range(3)), "pts/ptmx"]


@pytest.mark.parametrize("init", [False, True])
def test_it_has_no_descriptors_of_ours(dock: Dock, init: bool) -> None:
    fds = [os.open("/", os.O_RDONLY) for _ in range(5)]
    try:
        for fd in fds:
            os.set_inheritable(fd, True)
        dock.engine.containers.close()
        ended = dock.sh(
            "sleep 1000 & until grep -q sleep /proc/$!/comm; do :; done; ls /proc/$!/fd", init=init
        )
    finally:
        for fd in fds:
            os.close(fd)
    assert ended.lines == ["0", "1", "2"]


def test_our_own_processes_keep_nothing_of_the_caller_open(dock: Dock, tmp_path: Path) -> None:
    """A lock of the caller's would be held as long as the container runs."""
    fd = os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT)
    os.set_inheritable(fd, True)
    dock.engine.containers.close()
    container = dock.idle(init=True)
    os.close(fd)
    monitor, init = dock.monitor(container), container.pid
    assert monitor is not None
    assert init is not None
    for pid in (monitor, init):
        assert str(tmp_path / "lock") not in targets_of_descriptors(pid)


def targets_of_descriptors(pid: int) -> list[str]:
    found = []
    for path in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            found.append(os.readlink(path))  # noqa: PTH115
    return found


def test_masked_paths_are_empty(dock: Dock) -> None:
    script = "for p in $*; do [ -d $p ] && ls -A $p; [ -f $p ] || [ -c $p ] && head -c 9 $p; done"
    ended = dock.end_of(dock.start("sh", "-c", script, "-", *MASKED))
    assert (ended.stdout, ended.stderr) == ("", "")
    files = [path for path in MASKED if Path(path).is_file()]
    found = dock.end_of(dock.start("stat", "-c", "%F %t:%T", *files)).lines
    assert found == ["character special file 1:3"] * len(files)
    assert "Read-only" in dock.sh("touch /sys/firmware/x").stderr


HOSTS = (
    "/proc/sys/kernel/core_pattern",
    "/proc/sys/vm/overcommit_memory",
    "/proc/sys/net/ipv4/ip_forward",
    "/proc/sysrq-trigger",
    "/proc/irq/default_smp_affinity",
    "/sys/kernel/uevent_helper",
    "/sys/power/state",
    "/sys/module/kernel/parameters/panic",
    "/sys/fs/cgroup/memory/memory.limit_in_bytes",
    "/sys/fs/cgroup/memory/notify_on_release",
    "/sys/fs/cgroup/devices/devices.allow",
    "/sys/fs/cgroup/memory.max",
)


def test_what_is_the_hosts_cannot_be_written(dock: Dock) -> None:
    container = dock.idle()
    there = [path for path in HOSTS if dock.exec(container, "test", "-e", path).code == 0]
    assert len(there) >= 5
    for path in there:
        done = dock.exec(container, "sh", "-c", f"echo 0 > {path}")
        assert done.code == 1, path
        assert b"Read-only file system" in done.stderr, path


def test_nothing_above_its_own_cgroup_is_visible(dock: Dock) -> None:
    ended = dock.sh("cat /proc/self/cgroup; ls /sys/fs/cgroup/*/ | grep -c buoy; true")
    assert all(line.endswith(":/") for line in ended.lines[:-1])
    assert ended.lines[-1] == "0"


# --- what it may


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({}, set(capabilities.DEFAULT)),
        ({"cap_drop": ("ALL",)}, set()),
        ({"cap_drop": ("all",), "cap_add": ("CAP_CHOWN", "kill")}, {"CHOWN", "KILL"}),
        ({"cap_drop": ("chown",)}, set(capabilities.DEFAULT) - {"CHOWN"}),
        ({"cap_add": ("NET_ADMIN",)}, {*capabilities.DEFAULT, "NET_ADMIN"}),
        (
            {"cap_add": ("ALL",), "cap_drop": ("SYS_ADMIN",)},
            set(capabilities.bounding()) - {"SYS_ADMIN"},
        ),
        ({"privileged": True}, set(capabilities.bounding())),
    ],
)
def test_capabilities_are_those_granted_and_no_more(
    dock: Dock, asked: dict[str, object], expected: set[str]
) -> None:
    fields = status_of(dock.sh("cat /proc/self/status", **asked).stdout)
    for kind in ("CapPrm", "CapEff", "CapBnd"):
        assert _names(fields[kind]) == expected, kind
    assert _names(fields["CapInh"]) == _names(fields["CapAmb"]) == set()


def test_privileged_opens_the_hosts_devices(dock: Dock) -> None:
    reading = "head -c 1 /dev/kmsg >/dev/null && echo read"
    assert "read" in dock.sh(reading, privileged=True).stdout
    assert "read" not in dock.sh(f"mknod /dev/kmsg c 1 11; {reading}").stdout


def test_the_default_is_dockers(dock: Dock) -> None:
    fields = status_of(dock.sh("cat /proc/self/status").stdout)
    assert int(fields["CapEff"], 16) == DEFAULT_CAPABILITIES


def test_a_user_has_none_but_what_it_could_gain(dock: Dock) -> None:
    fields = status_of(dock.sh("cat /proc/self/status", user="app", cap_add=("SYS_PTRACE",)).stdout)
    assert _names(fields["CapEff"]) == _names(fields["CapPrm"]) == set()
    assert "SYS_PTRACE" in _names(fields["CapBnd"])


@pytest.mark.parametrize(
    ("word", "message"), [("NOPE", 'unknown capability: "NOPE"'), ("", "unknown capability")]
)
def test_an_unknown_capability_is_a_problem(dock: Dock, word: str, message: str) -> None:
    with pytest.raises(ContainerProblem, match=message):
        dock.start("true", cap_add=(word,))


WITHOUT_CHOWN = """
from engine import ContainerProblem, ContainerSpec
from engine.containers.confinement import capabilities_of
from engine.kernel.capabilities import bounding, drop_bounding
drop_bounding([name for name in bounding() if name != "CHOWN"])
assert "CHOWN" not in capabilities_of(ContainerSpec(name="web", image=""))
try:
    capabilities_of(ContainerSpec(name="web", image="", cap_add=("CHOWN",)))
except ContainerProblem as problem:
    print(problem.code)
"""


def test_a_capability_we_lack_is_a_problem_only_where_it_is_asked_for() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_CHOWN], check=True, capture_output=True, text=True
    )
    assert done.stdout == "capability-not-available\n"


def test_no_new_privileges_holds_setuid_programs_down(dock: Dock) -> None:
    script = "cp /usr/bin/id /tmp/id; chmod 4755 /tmp/id; exec setpriv --reuid 1000 /tmp/id -u"
    for options, uid in (((), "0"), (("no-new-privileges:true",), "1000")):
        status = dock.sh("cat /proc/self/status", security_options=options).stdout
        assert status_of(status)["NoNewPrivs"] == str(len(options))
        assert status_of(status)["Seccomp"] == "2"
        assert dock.sh(script, image="rootfs:/", security_options=options).lines == [uid]


@pytest.mark.parametrize(
    "script",
    [
        "mount -t tmpfs none /mnt",
        "mount -o remount,rw /sys",
        "mount -o bind /etc /tmp",
        "umount /proc/kcore",
        "umount -l /sys/firmware",
        "umount /etc/hosts",
        "unshare -r true",
        "unshare -m true",
        "unshare -n true",
        "nsenter -t 1 -m true",
        "hostname other",
        "insmod /x.ko",
        "rmmod overlay",
        "swapon /etc/passwd",
        "date -s '2000-01-01'",
        "reboot -f",
        "chroot /proc/1/root nsenter -t 1 -p true",
        "dmesg",
        "sysctl -w kernel.hostname=x",
        "ip link add x type dummy",
        "ip address add 10.9.9.9/8 dev lo",
        "renice -n -5 1",
        "mknod /tmp/disk b 8 0 && head -c 1 /tmp/disk",
        "mknod /tmp/mem c 1 1 && head -c 1 /tmp/mem",
        "mknod /tmp/kmsg c 1 11 && head -c 1 /tmp/kmsg",
        "mknod /tmp/loop b 7 0 && echo > /tmp/loop",
    ],
)
def test_what_is_forbidden_fails(dock: Dock, script: str) -> None:
    ended = dock.sh(f"mkdir -p /mnt; {script}")
    assert ended.code != 127
    assert ended.code != 0 or "not permitted" in ended.stderr  # date(1) is content all the same


def test_devices_may_be_made_but_not_opened(dock: Dock) -> None:
    script = "mknod /tmp/disk b 8 0; stat -c %F /tmp/disk; head -c 1 /tmp/disk"
    ended = dock.sh(script)
    assert ended.lines == ["block special file"]
    assert "Operation not permitted" in ended.stderr


# --- seccomp, tried with a real interpreter inside

PROBE = r"""
import ctypes, errno, json, os, socket
libc = ctypes.CDLL(None, use_errno=True)
def call(number, *arguments):
    ctypes.set_errno(0)
    result = libc.syscall(ctypes.c_long(number), *[ctypes.c_long(a) for a in arguments])
    return errno.errorcode.get(ctypes.get_errno(), "ok") if result < 0 else "ok"
def family(number):
    try:
        socket.socket(number, socket.SOCK_SEQPACKET if number == 38 else socket.SOCK_DGRAM).close()
        return "ok"
    except OSError as error:
        return errno.errorcode[error.errno]
CLONE_NEWUSER = 0x10000000
print(json.dumps({
    "af_alg": family(38), "af_vsock": family(40), "af_inet": family(2), "af_netlink": family(16),
    "io_uring_setup": call(425, 1, 0), "keyctl": call(250, 0, -3, 0), "add_key": call(248, 0, 0, 0),
    "unshare_user": call(272, CLONE_NEWUSER), "clone3": call(435, 0, 0), "bpf": call(321, 0, 0, 0),
    "clone_newuser": call(56, CLONE_NEWUSER | 17, 0, 0, 0, 0), "setns": call(308, 0, 0),
    "userfaultfd": call(323, 0), "perf_event_open": call(298, 0, 0, -1, -1, 0),
    "open_by_handle_at": call(304, 0, 0, 0), "kexec_load": call(246, 0, 0, 0, 0),
    "personality_query": call(135, 0xFFFFFFFF), "personality_odd": call(135, 0x0040000),
    "ptrace_traceme": call(101, 0, 0, 0, 0), "not_yet_invented": call(1000),
    "x32_getpid": call(0x40000000 + 39), "move_mount": call(429, 0, 0, 0, 0, 0),
    "fsopen": call(430, 0, 0), "open_tree": call(428, 0, 0, 0), "mount_setattr": call(442, 0, 0),
    "quotactl": call(179, 0, 0, 0, 0), "acct": call(163, 0), "syslog": call(103, 3, 0, 0),
}))
"""

EXPECTED = {
    **dict.fromkeys(("af_inet", "af_netlink", "personality_query", "ptrace_traceme"), "ok"),
    **dict.fromkeys(("clone3", "not_yet_invented", "x32_getpid"), "ENOSYS"),
}


def inside_host_tree(dock: Dock, script: str, **asked: object) -> str:
    """The output of a Python script in a container on the host's own file system."""
    ended = dock.end_of(
        dock.start("/usr/bin/python3", "-I", "-c", script, image="rootfs:/", **asked)
    )
    assert ended.code == 0, ended.stderr
    return ended.stdout


def test_system_calls_that_open_ways_out_are_refused(dock: Dock) -> None:
    found = json.loads(inside_host_tree(dock, PROBE))
    assert found == {name: EXPECTED.get(name, "EPERM") for name in found}


def test_without_the_filter_they_get_to_the_kernel(dock: Dock) -> None:
    options = ("seccomp=unconfined",)
    found = json.loads(inside_host_tree(dock, PROBE, security_options=options))
    assert found["clone3"] == "EINVAL"
    assert found["userfaultfd"] == "ok" or found["io_uring_setup"] != "EPERM"


def test_the_filter_is_wider_with_the_capability(dock: Dock) -> None:
    found = json.loads(inside_host_tree(dock, PROBE, cap_add=("SYS_ADMIN",)))
    assert found["clone3"] == "EINVAL"
    assert found["setns"] in ("EINVAL", "EBADF")
    assert found["af_alg"] == found["keyctl"] == found["io_uring_setup"] == "EPERM"


def test_our_state_is_hidden_where_the_root_is_the_hosts(dock: Dock) -> None:
    roots = dock.engine.roots
    script = f"import os; print([os.listdir(p) for p in ({roots.root!r}, {roots.run_root!r})])"
    assert inside_host_tree(dock, script) == "[[], []]\n"


# --- our own programs, out of reach (CVE-2019-5736)


def test_the_interpreter_that_starts_containers_cannot_be_overwritten(dock: Dock) -> None:
    """The entrypoint is the interpreter itself, once more; it reopens the file it runs from."""
    script = (
        "import errno, os\n"
        "fd = os.open('/proc/self/exe', os.O_RDONLY)\n"
        "print(os.fstatvfs(fd).f_flag & os.ST_RDONLY, flush=True)\n"
        "os.set_inheritable(fd, True)\n"
        "os.execv('/bin/sh', ['sh', '-c', f': >> /proc/self/fd/{fd}; echo $?'])\n"
    )
    container = dock.start("/proc/self/exe", "-I", "-c", script, image="rootfs:/")
    ended = dock.end_of(container)
    assert ended.lines == ["1"]
    assert "busy" in ended.stderr or "Read-only file system" in ended.stderr


def test_on_an_image_of_its_own_it_does_not_even_run(dock: Dock) -> None:
    with pytest.raises(ContainerProblem, match="/proc/self/exe"):
        dock.start("/proc/self/exe")


def test_a_process_inside_cannot_look_into_an_exec_that_is_coming(dock: Dock) -> None:
    """Every process that appears is looked at as fast as can be, by one with SYS_PTRACE even."""
    watch = (
        "while :; do for p in /proc/[0-9]*; do"
        ' e=$(readlink $p/exe) && case $e in *python*) echo "SEEN $e";; esac; done; done'
    )
    container = dock.start("sh", "-c", watch)
    for _ in range(20):
        dock.exec(container, "true")
    assert "SEEN" not in dock.text(container)


def _names(mask: str) -> set[str]:
    bits = int(mask, 16)
    return {name for name, number in capabilities.NUMBERS.items() if bits >> number & 1}


@pytest.mark.parametrize(
    ("option", "code"),
    [
        ("apparmor=mine", "apparmor"),
        ("seccomp=profile.json", "seccomp-profile"),
        ("label:user:x", "not-built-yet"),
        ("odd", "security-option"),
        ("no-new-privileges=maybe", "security-option"),
        ("writable-cgroups=perhaps", "security-option"),
        ("seccomp", "security-option"),
    ],
)
def test_a_security_option_without_effect_is_refused(dock: Dock, option: str, code: str) -> None:
    with pytest.raises(ContainerProblem) as caught:
        dock.sh("true", security_options=(option,))
    assert caught.value.code == code


@pytest.mark.skipif(Hierarchies.detect().is_pure_v2, reason="version 2 alone")
def test_groups_of_version_1_are_not_writable(dock: Dock) -> None:
    with pytest.raises(ContainerProblem) as caught:
        dock.sh("true", security_options=("writable-cgroups",))
    assert caught.value.code == "writable-cgroups"


def test_options_that_are_the_default_change_nothing(dock: Dock) -> None:
    options = ("apparmor=unconfined", "label=disable", "seccomp=builtin", "writable-cgroups=false")
    fields = status_of(dock.sh("cat /proc/self/status", security_options=options).stdout)
    assert (fields["Seccomp"], fields["NoNewPrivs"]) == ("2", "0")


PROFILE = {
    "defaultAction": "SCMP_ACT_ALLOW",
    "archMap": [{"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86"]}],
    "syscalls": [
        {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28},
        {
            "names": ["sethostname"],
            "action": "SCMP_ACT_ERRNO",
            "errnoRet": 28,
            "excludes": {"caps": ["CAP_SYS_ADMIN"]},
        },
    ],
}


@pytest.mark.parametrize("privileged", [False, True])
def test_a_seccomp_profile_of_ones_own(dock: Dock, privileged: bool) -> None:
    options = (f"seccomp={json.dumps(PROFILE)}",)
    container = dock.idle(security_options=options, privileged=privileged)
    assert b"No space left" in dock.exec(container, "mkdir", "/x").stderr
    hostname = dock.exec(container, "hostname", "other")
    assert (b"No space left" in hostname.stderr) != privileged
    status = dock.exec(container, "cat", "/proc/self/status").stdout.decode()
    assert status_of(status)["Seccomp"] == "2"


def test_a_security_option_may_have_a_colon(dock: Dock) -> None:
    status = dock.sh("cat /proc/self/status", security_options=("seccomp:unconfined",)).stdout
    assert status_of(status)["Seccomp"] == "0"
