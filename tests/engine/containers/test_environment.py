"""What a program finds: environment, user, working directory, names, limits."""

from __future__ import annotations

import os
import resource
import signal
import sys
from typing import TYPE_CHECKING, Any

import pytest

from engine import ContainerProblem, Mount
from engine.kernel.libc import syscall
from engine.kernel.process import reset_reserved_signals
from engine.kernel.syscalls import numbers
from tests.engine.containers.dock import status_of
from tests.marks import needs_root

if TYPE_CHECKING:
    from pathlib import Path

    from engine import Image
    from tests.engine.containers.dock import Dock

pytestmark = needs_root

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def test_the_environment_is_ours_then_the_images_then_the_users(dock: Dock, busybox: Image) -> None:
    given = {"B": "2", "A": "1=x y", "EMPTY": "", "HOSTNAME": None}
    ended = dock.sh("env", image=busybox.id, environment=given)
    assert set(ended.lines) == {
        *(f"PATH={PATH}", "B=2", "A=1=x y", "EMPTY=", "HOME=/root"),
        *("SHLVL=1", "PWD=/"),  # of the shell
    }


def test_nothing_of_our_own_environment_gets_in(
    dock: Dock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_OF_THE_CALLER", "1")
    dock.engine.containers.close()  # a new stage, started with it
    container = dock.idle()
    dock.exec(container, "true")
    inside = dock.exec(container, "cat", "/proc/1/environ").stdout.split(b"\0")
    assert sorted(inside) == [
        b"",
        b"HOME=/root",
        b"HOSTNAME=" + container.id[:12].encode(),
        b"PATH=" + PATH.encode(),
    ]


@pytest.mark.parametrize(
    ("user", "environment", "home"),
    [
        (None, {}, "/root"),
        ("app", {}, "/home/app"),
        ("1000", {"HOME": ""}, "/home/app"),
        ("app", {"HOME": "/mine"}, "/mine"),
        ("4321", {}, "/"),
    ],
)
def test_home_is_that_of_the_user(
    dock: Dock, user: str | None, environment: dict[str, str], home: str
) -> None:
    assert dock.sh("echo $HOME", user=user, environment=environment).lines == [home]


@pytest.mark.parametrize(
    ("user", "groups", "expected"),
    [
        ("app", (), "uid=1000(app) gid=1000(app) groups=50(staff),1000(app)"),
        ("app:staff", (), "uid=1000(app) gid=50(staff) groups=50(staff)"),
        ("1000:0", ("staff", "77"), "uid=1000(app) gid=0(root) groups=0(root),50(staff),77"),
        ("0", (), "uid=0(root) gid=0(root) groups=0(root)"),
    ],
)
def test_the_user_and_all_its_groups(
    dock: Dock, user: str, groups: tuple[str, ...], expected: str
) -> None:
    assert dock.sh("id", user=user, group_add=groups).lines == [expected]


def test_an_unknown_user_is_told_at_the_start(dock: Dock) -> None:
    with pytest.raises(ContainerProblem, match="unable to find user nobody") as caught:
        dock.start("true", user="nobody")
    assert caught.value.code == "unknown-user"


def test_the_working_directory_is_made(dock: Dock) -> None:
    assert dock.sh("pwd; stat -c '%a %u' .", working_dir="/a/b/c").lines == ["/a/b/c", "755 0"]


def test_a_working_directory_that_only_the_user_may_enter(dock: Dock, rootfs: Path) -> None:
    (rootfs / "private").mkdir()
    os.chown(rootfs / "private", 1000, 1000)
    (rootfs / "private").chmod(0o700)
    ended = dock.sh(
        "pwd",
        image=f"rootfs:{rootfs}",
        working_dir="/private",
        user="app",
        cap_drop=("DAC_OVERRIDE",),
    )
    assert ended.lines == ["/private"]


def test_a_working_directory_that_is_a_file_is_a_problem(dock: Dock) -> None:
    with pytest.raises(ContainerProblem, match="/etc/passwd") as caught:
        dock.start("true", working_dir="/etc/passwd")
    assert caught.value.code == "working-directory"


@pytest.mark.parametrize(
    "asked",
    [
        {"hostname": "a\nb"},
        {"domainname": "a b"},
        {"extra_hosts": (("a", "1.2.3.4\n5.6.7.8 bank"),)},
        {"dns": ("1.2.3.4 ",)},
        {"dns_search": ("a\0",)},
        {"dns_options": ("ndots:1\nnameserver 6.6.6.6",)},
    ],
    ids=str,
)
def test_names_and_addresses_are_single_words(dock: Dock, asked: dict[str, Any]) -> None:
    with pytest.raises(ContainerProblem, match="blank or a control character"):
        dock.sh("true", **asked)


def test_the_hostname_is_the_short_id_or_the_one_given(dock: Dock) -> None:
    ended = dock.sh("hostname; cat /etc/hostname; echo $HOSTNAME")
    assert ended.lines == [ended.container.id[:12]] * 3
    ended = dock.sh(
        "hostname; cat /etc/hostname; cat /proc/sys/kernel/domainname",
        hostname="web",
        domainname="example.test",
    )
    assert ended.lines == ["web", "web", "example.test"]
    assert os.uname().nodename != "web"


def test_the_hosts_file_has_loopback_and_what_was_added(dock: Dock) -> None:
    hosts = dock.sh("cat /etc/hosts", extra_hosts=(("db", "10.1.2.3"),)).lines
    assert hosts[0] == "127.0.0.1\tlocalhost"
    assert "10.1.2.3\tdb" in hosts


def test_the_resolver_is_as_asked(dock: Dock) -> None:
    asked = {"dns": ("10.9.9.9",), "dns_search": ("a.test",), "dns_options": ("timeout:1",)}
    lines = dock.sh("cat /etc/resolv.conf", network="host", **asked).lines
    assert [line for line in lines if not line.startswith("#")] == [
        "nameserver 10.9.9.9",
        "search a.test",
        "options timeout:1",
    ]


def test_the_own_files_can_be_written_and_are_renewed_at_a_start(dock: Dock) -> None:
    container = dock.start("sh", "-c", "cat /etc/hosts; echo 1.2.3.4 mine >> /etc/hosts")
    first = dock.end_of(container).stdout
    assert dock.end_of(dock.start_again(container)).stdout == first * 2


def test_the_hosts_network_has_the_hosts_name(dock: Dock) -> None:
    assert dock.sh("hostname", network="host").lines == [os.uname().nodename]
    assert dock.sh("hostname", network="host", hostname="mine").lines == ["mine"]
    assert dock.sh("readlink /proc/self/ns/net", network="host").lines == [
        os.readlink("/proc/self/ns/net")  # noqa: PTH115
    ]


def test_the_mask_is_022_whatever_ours_is(dock: Dock) -> None:
    before = os.umask(0o077)
    try:
        dock.engine.containers.close()
        assert dock.sh("umask; touch /f; stat -c %a /f").lines == ["0022", "644"]
    finally:
        os.umask(before)


def test_what_a_user_needs_can_be_read_whatever_our_mask_is(dock: Dock, tmp_path: Path) -> None:
    mounts = (
        Mount(type="volume", source="data", target="/volumes/data"),
        Mount(type="bind", source=str(tmp_path / "new"), target="/bound"),
        Mount(type="tmpfs", target="/made/tmpfs"),
    )
    seen = "/ /volumes /volumes/data /bound /made /made/tmpfs /made/work /etc/hosts"
    before = os.umask(0o077)
    try:
        dock.engine.containers.close()
        script = f"cat /etc/hostname; stat -c %a {seen}"
        ended = dock.sh(script, user="app", hostname="web", working_dir="/made/work", mounts=mounts)
    finally:
        os.umask(before)
    assert ended.lines == ["web", *["755"] * 5, "1777", "755", "644"]


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"environment": {"A": "b\0c"}}, "zero-byte"),
        ({"working_dir": "/a\0b"}, "zero-byte"),
        ({"command": ("true", "a\0b")}, "zero-byte"),
        ({"environment": {"": "x"}}, "invalid-environment"),
    ],
)
def test_what_no_program_can_be_given_is_a_problem(
    dock: Dock, asked: dict[str, object], code: str
) -> None:
    with pytest.raises(ContainerProblem) as caught:
        dock.start(*(() if "command" in asked else ("true",)), **asked)
    assert caught.value.code == code


def test_signals_that_our_shell_ignores_are_not_ignored_inside(dock: Dock) -> None:
    before = signal.signal(signal.SIGQUIT, signal.SIG_IGN)
    ignore = (1).to_bytes(8, sys.byteorder) + bytes(24)  # struct sigaction of the kernel: SIG_IGN
    for reserved in (32, 33):  # the C library lets nobody touch them
        syscall(numbers(os.uname().machine)["rt_sigaction"], reserved, ignore, None, 8, name="")
    try:
        dock.engine.containers.close()
        container = dock.idle()
        ours = dock.exec(container, "cat", "/proc/self/status").stdout.decode()
        init = dock.exec(container, "cat", "/proc/1/status").stdout.decode()
    finally:
        signal.signal(signal.SIGQUIT, before)
        reset_reserved_signals()
    for status in (ours, init):
        assert int(status_of(status)["SigIgn"], 16) == 0
        assert int(status_of(status)["SigBlk"], 16) == 0


# --- limits


def test_ulimits_are_soft_and_hard(dock: Dock) -> None:
    limits = {"nofile": (100, 200), "core": (0, 0)}
    ended = dock.sh("grep -E 'open files|core file' /proc/self/limits", ulimits=limits)
    assert [line.split()[-3:-1] for line in ended.lines] == [["0", "0"], ["100", "200"]]


def test_without_ulimits_those_of_our_shell_do_not_leak_in(dock: Dock) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 300), hard))
    try:
        dock.engine.containers.close()
        ended = dock.sh("ulimit -n")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert int(ended.stdout) == min(1_048_576, hard)


def test_an_exec_has_the_containers_ulimits(dock: Dock) -> None:
    container = dock.idle(ulimits={"nofile": (77, 88)})
    assert dock.exec(container, "sh", "-c", "ulimit -n").stdout == b"77\n"


def test_a_hard_limit_beyond_ours_is_a_problem(dock: Dock) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with pytest.raises(ContainerProblem, match="nofile") as caught:
        dock.start("true", ulimits={"nofile": (hard + 1, 2**40)})
    assert caught.value.code == "ulimit"
    with pytest.raises(ContainerProblem, match="`nofiles`"):
        dock.start("true", ulimits={"nofiles": (1, 1)})


def test_sysctls_of_the_containers_namespaces_are_set(dock: Dock) -> None:
    wanted = {
        "net.ipv4.ip_default_ttl": "33",
        "net/ipv4/conf/lo/forwarding": "1",
        "kernel.msgmax": "5000",
        "fs.mqueue.msg_max": "7",
    }
    paths = [f"/proc/sys/{name.replace('.', '/')}" for name in wanted]
    assert dock.sh(f"cat {' '.join(paths)}", sysctls=wanted).lines == ["33", "1", "5000", "7"]


@pytest.mark.parametrize(
    "name",
    [
        "kernel.core_pattern",
        "kernel.hostname",
        "kernel.modprobe",
        "vm.overcommit_memory",
        "fs.file-max",
        "net",
        "network.x",
        "net.//.kernel.core_pattern",
        "net/../kernel/core_pattern",
        "fs.mqueue.//.//.kernel.core_pattern",
        "user.max_user_namespaces",
    ],
)
def test_the_hosts_sysctls_are_refused(dock: Dock, name: str) -> None:
    with pytest.raises(ContainerProblem, match="sysctl") as caught:
        dock.start("true", sysctls={name: "1"})
    assert caught.value.code == "sysctl-not-allowed"


def test_network_sysctls_are_the_hosts_on_its_network(dock: Dock) -> None:
    with pytest.raises(ContainerProblem, match="ip_forward"):
        dock.start("true", network="host", sysctls={"net.ipv4.ip_forward": "1"})


def test_a_sysctl_the_kernel_refuses_is_told(dock: Dock) -> None:
    with pytest.raises(ContainerProblem, match=r"net\.ipv4\.ip_default_ttl=no") as caught:
        dock.start("true", sysctls={"net.ipv4.ip_default_ttl": "no"})
    assert caught.value.code == "sysctl"


def test_the_oom_score_is_set_for_all_processes(dock: Dock) -> None:
    container = dock.idle(oom_score_adj=321)
    ours = dock.exec(container, "cat", "/proc/1/oom_score_adj", "/proc/self/oom_score_adj")
    assert ours.stdout.split() == [b"321", b"321"]
    with pytest.raises(ContainerProblem, match="oom_score_adj=2000") as caught:
        dock.start("true", oom_score_adj=2000)
    assert caught.value.code == "oom-score-adj"


def test_the_shared_memory_has_its_size(dock: Dock) -> None:
    assert dock.sh("df -k /dev/shm | tail -1 | awk '{print $2}'").lines == ["65536"]
    ended = dock.sh("df -k /dev/shm | tail -1 | awk '{print $2}'", shm_size_bytes=1 << 20)
    assert ended.lines == ["1024"]
