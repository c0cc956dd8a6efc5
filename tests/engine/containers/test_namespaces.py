"""Namespaces that are the host's, or another container's (engine.md A2.3, A5)."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine import ContainerProblem, EndpointSpec, NetworkSpec, PortSpec, RestartPolicy
from tests.marks import needs_root
from tests.waiting import eventually

if TYPE_CHECKING:
    from engine import Container
    from tests.engine.containers.dock import Dock

pytestmark = needs_root


def namespace(pid: int | str | None, kind: str) -> int:
    return Path(f"/proc/{pid}/ns/{kind}").stat().st_ino


def joined(donor: Container) -> str:
    return f"container:{donor.name}"


def test_all_are_its_own_unless_asked_for(dock: Dock) -> None:
    container = dock.idle()
    for kind in ("pid", "ipc", "uts", "cgroup", "net", "mnt"):
        assert namespace(container.pid, kind) != namespace("self", kind), kind


@pytest.mark.parametrize("kind", ["pid", "ipc", "uts", "cgroup"])
def test_one_is_the_hosts_and_the_others_are_not(dock: Dock, kind: str) -> None:
    container = dock.idle(**{f"{kind}_mode": "host"})
    for other in ("pid", "ipc", "uts", "cgroup", "net", "mnt"):
        same = namespace(container.pid, other) == namespace("self", other)
        assert same == (other == kind), other
    inside = dock.exec(container, "readlink", f"/proc/self/ns/{kind}")
    assert inside.stdout.decode().strip() == os.readlink(f"/proc/self/ns/{kind}")  # noqa: PTH115


def test_in_the_hosts_pid_namespace_it_sees_all_and_leaves_nothing(dock: Dock) -> None:
    container = dock.start("sh", "-c", "sleep 1001 & echo $$; exec sleep 1000", pid_mode="host")
    dock.wait_for_line(container, str(container.pid))
    left = _processes_of(dock, container)
    assert len(left) == 2
    assert dock.exec(container, "test", "-d", f"/proc/{os.getpid()}").code == 0
    dock.kill(container)
    dock.wait(container, lambda c: c.status == "exited")
    assert eventually(lambda: not any(map(_runs, left)))


def test_a_program_that_ends_takes_what_it_started_along(dock: Dock) -> None:
    script = "sleep 1003 & echo $!"
    ended = dock.sh(script, pid_mode="host")
    assert ended.code == 0
    assert eventually(lambda: not _runs(int(ended.lines[0])))


def test_init_is_only_for_a_pid_namespace_of_its_own(dock: Dock) -> None:
    named = "until grep -x buoy-init /proc/1/comm; do :; done"
    assert dock.sh(named, init=True).lines == ["buoy-init"]
    host = Path("/proc/1/comm").read_text().strip()
    assert dock.sh("cat /proc/1/comm", init=True, pid_mode="host").lines == [host]


def test_a_pid_namespace_is_shared_with_a_container_and_ends_with_it(dock: Dock) -> None:
    donor = dock.idle()
    guest = dock.idle(pid_mode=joined(donor))
    assert namespace(guest.pid, "pid") == namespace(donor.pid, "pid")
    seen = dock.exec(guest, "sh", "-c", "cat /proc/1/cmdline | tr '\\0' ' '")
    assert seen.stdout == b"sleep 1000 "
    assert namespace(guest.pid, "ipc") != namespace(donor.pid, "ipc")
    dock.stop(donor)
    assert dock.wait(guest, lambda c: c.status == "exited").exit_code == 137


def test_a_guest_that_ends_leaves_its_donor(dock: Dock) -> None:
    donor = dock.idle()
    ended = dock.sh("sleep 1007 & true", pid_mode=joined(donor))
    assert ended.code == 0
    assert dock.get(donor).status == "running"
    counted = dock.exec(donor, "sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' '\\n'")
    assert b"1000" in counted.stdout
    assert b"1007" not in counted.stdout


def test_ipc_comes_with_dev_shm(dock: Dock) -> None:
    donor = dock.idle(ipc_mode="shareable", shm_size_bytes=1 << 20)
    guest = dock.idle(ipc_mode=joined(donor))
    assert namespace(guest.pid, "ipc") == namespace(donor.pid, "ipc")
    dock.exec(donor, "sh", "-c", "echo hello > /dev/shm/f")
    assert dock.exec(guest, "cat", "/dev/shm/f").stdout == b"hello\n"
    mounts = dock.exec(guest, "grep", "/dev/shm", "/proc/mounts").stdout.decode()
    assert "size=1024k" in mounts
    assert "noexec" in mounts
    dock.exec(guest, "sh", "-c", "echo back > /dev/shm/g")
    dock.stop(donor)
    assert dock.exec(guest, "cat", "/dev/shm/g").stdout == b"back\n"


def test_ipc_may_be_without_shared_memory_or_the_hosts(dock: Dock) -> None:
    mine = Path(f"/dev/shm/buoy-test-{secrets.token_hex(4)}")
    script = f"grep -c /dev/shm /proc/mounts; ls /dev/shm 2>/dev/null | grep -c {mine.name}; true"
    mine.touch()
    try:
        assert dock.sh(script, ipc_mode="none").lines == ["0", "0"]
        assert dock.sh(script, ipc_mode="host").lines == ["1", "1"]
        assert dock.sh(script).lines == ["1", "0"]
    finally:
        mine.unlink()


@pytest.mark.parametrize("mode", ["private", "none"])
def test_ipc_that_is_private_is_not_shared(dock: Dock, mode: str) -> None:
    donor = dock.idle(ipc_mode=mode)
    with pytest.raises(ContainerProblem, match="does not share") as caught:
        dock.idle(ipc_mode=joined(donor))
    assert caught.value.code == "ipc-not-shareable"


@pytest.mark.parametrize("how", ["missing", "created", "stopped"])
def test_a_donor_that_does_not_run_is_a_problem(dock: Dock, how: str) -> None:
    mode = "container:nobody"
    if how != "missing":
        donor = dock.create("sleep", "1000")
        mode = joined(donor)
        if how == "stopped":
            dock.start_again(donor)
            dock.stop(donor)
    guest = dock.create("sleep", "1000", pid_mode=mode)
    with pytest.raises(ContainerProblem, match="shares the pid namespace") as caught:
        dock.start_again(guest)
    assert caught.value.code == "namespace-donor"
    assert dock.get(guest).status == "created"
    assert dock.cgroups(guest) == []


def test_a_guest_that_restarts_joins_what_the_donor_has_by_then(dock: Dock) -> None:
    donor = dock.idle()
    guest = dock.idle(pid_mode=joined(donor), restart=RestartPolicy(name="always"))
    dock.run(dock.engine.containers.restart(donor.id))
    again = dock.wait(guest, lambda c: c.status == "running" and c.pid != guest.pid)
    assert namespace(again.pid, "pid") == namespace(dock.get(donor).pid, "pid")


def test_with_the_hosts_names_it_has_none_of_its_own(dock: Dock) -> None:
    name = os.uname().nodename
    script = "hostname; cat /etc/hostname; echo $HOSTNAME"
    assert dock.sh(script, uts_mode="host").lines == [name] * 3
    with pytest.raises(ContainerProblem, match="host's name") as caught:
        dock.idle(uts_mode="host", hostname="web")
    assert caught.value.code == "hostname-conflict"


def test_with_the_hosts_network_it_has_the_hosts_name_but_cannot_change_it(dock: Dock) -> None:
    container = dock.idle(network="host", cap_add=("SYS_ADMIN",))
    assert dock.exec(container, "hostname").stdout.decode().strip() == os.uname().nodename
    before = os.uname().nodename
    dock.exec(container, "hostname", "changed")
    assert os.uname().nodename == before


def test_in_the_hosts_cgroup_namespace_it_sees_its_own_group_alone(dock: Dock) -> None:
    container = dock.idle(cgroup_mode="host")
    inside = dock.exec(container, "cat", "/proc/self/cgroup").stdout.decode()
    assert container.id in inside
    points = [group.parent.parent for group in dock.cgroups(container)]  # of their hierarchies
    shown = {point: dock.exec(container, "cat", f"{point}/cgroup.procs") for point in points}
    seen = {point: done.stdout.split() for point, done in shown.items() if done.code == 0}
    assert seen
    for point, processes in seen.items():
        assert len(processes) in (2, 3)
        assert b"Read-only" in dock.exec(container, "mkdir", f"{point}/x").stderr


@pytest.mark.parametrize(
    ("mode", "sysctl"),
    [("ipc_mode", "kernel.msgmax"), ("ipc_mode", "fs.mqueue.msg_max"), ("uts_mode", "x")],
)
def test_what_is_the_hosts_is_not_set(dock: Dock, mode: str, sysctl: str) -> None:
    name = "kernel.domainname" if sysctl == "x" else sysctl
    with pytest.raises(ContainerProblem, match="not the container's own") as caught:
        dock.idle(**{mode: "host", "sysctls": {name: "1"}})
    assert caught.value.code == "sysctl-not-allowed"
    assert "shares" in (caught.value.hint or "")


@pytest.mark.parametrize("mode", ["pid_mode", "ipc_mode", "uts_mode", "cgroup_mode"])
def test_a_mode_that_there_is_not_is_a_problem(dock: Dock, mode: str) -> None:
    with pytest.raises(ContainerProblem) as caught:
        dock.idle(**{mode: "their"})
    assert caught.value.code == "namespace-mode"


def _processes_of(dock: Dock, container: Container) -> list[int]:
    group = dock.cgroups(container)[0]
    return [int(word) for word in (group / "cgroup.procs").read_text().split()]


# --- the network of another


def test_a_network_is_shared_with_its_names_and_files(dock: Dock) -> None:
    dock.engine.networks.create(NetworkSpec(name="n"))
    wish = (EndpointSpec(network="n"),)
    donor = dock.idle(network="networks", endpoints=wish, hostname="web", domainname="example.org")
    guest = dock.idle(network=joined(donor))
    third = dock.idle(network=joined(guest))
    for other in (guest, third):
        assert namespace(other.pid, "net") == namespace(donor.pid, "net")
        assert namespace(other.pid, "uts") != namespace(donor.pid, "uts")
        script = "hostname; cat /proc/sys/kernel/domainname; cat /etc/hosts /etc/resolv.conf"
        same = [dock.exec(one, "sh", "-c", script).stdout for one in (donor, other)]
        assert same[0] == same[1]
    address = donor.attachments[0].address
    serving = ("sh", "-c", "echo hello | nc -l -p 8080")
    dock.start(*serving, network=joined(donor), name="server")
    script = f"until nc {address} 8080 < /dev/null; do :; done"
    peer = dock.sh(script, network="networks", endpoints=wish)
    assert peer.lines == ["hello"]
    assert dock.exec(guest, "nslookup", donor.name).code == 0


def test_a_network_outlives_the_process_that_it_was_made_for(dock: Dock) -> None:
    donor = dock.idle(restart=RestartPolicy(name="always"))
    guest = dock.idle(network=joined(donor), restart=RestartPolicy(name="always"))
    before = namespace(donor.pid, "net")
    os.kill(donor.pid or 0, 9)
    again = dock.wait(donor, lambda c: c.status == "running" and c.pid != donor.pid)
    assert dock.get(guest).pid == guest.pid
    assert namespace(again.pid, "net") == before
    os.kill(guest.pid or 0, 9)
    renewed = dock.wait(guest, lambda c: c.status == "running" and c.pid != guest.pid)
    assert namespace(renewed.pid, "net") == before


@pytest.mark.parametrize(
    "asked",
    [
        {"ports": (PortSpec(target=80),)},
        {"hostname": "mine"},
        {"dns": ("1.1.1.1",)},
        {"extra_hosts": (("a", "1.2.3.4"),)},
        {"sysctls": {"net.core.somaxconn": "1"}},
    ],
)
def test_what_is_the_owners_of_a_network_is_not_the_guests(
    dock: Dock, asked: dict[str, object]
) -> None:
    donor = dock.idle()
    with pytest.raises(ContainerProblem) as caught:
        dock.idle(network=joined(donor), **asked)
    assert caught.value.code in ("network-conflict", "sysctl-not-allowed")


def test_a_network_of_nobody_is_a_problem(dock: Dock) -> None:
    with pytest.raises(ContainerProblem, match="nobody") as caught:
        dock.idle(network="container:nobody")
    assert caught.value.code == "namespace-donor"


def _runs(pid: int) -> bool:
    """Whether it has not ended: its parent may not have looked at it yet. One that was killed is
    in no control group any more some moments before."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"
