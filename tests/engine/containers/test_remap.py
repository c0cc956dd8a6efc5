"""Containers whose ids are not the host's (engine.md A17)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine import ContainerProblem, EndpointSpec, FileSpec, Mount, NetworkSpec, RestartPolicy
from engine.containers.remap import VARIABLE
from tests.marks import needs_root
from tests.waiting import eventually

if TYPE_CHECKING:
    from tests.engine.containers.dock import Dock

pytestmark = needs_root

FIRST = 300_000
REMAPPED = f"{FIRST}:65536"


def test_its_root_is_nobody_on_the_host(dock: Dock) -> None:
    container = dock.idle(userns=REMAPPED)
    assert Path(f"/proc/{container.pid}").stat().st_uid in (FIRST, 0)
    status = Path(f"/proc/{container.pid}/status").read_text()
    assert f"Uid:\t{FIRST}\t{FIRST}" in status
    assert f"Gid:\t{FIRST}\t{FIRST}" in status
    inside = dock.exec(container, "sh", "-c", "id -u; id -g; cat /proc/self/uid_map")
    assert inside.stdout.decode().split() == ["0", "0", "0", str(FIRST), "65536"]
    kinds = ("user", "pid", "net", "ipc", "mnt", "uts", "cgroup")
    for kind in kinds:
        own = Path(f"/proc/{container.pid}/ns/{kind}").stat().st_ino
        assert own != Path(f"/proc/self/ns/{kind}").stat().st_ino, kind


def test_files_of_the_image_have_their_ids_and_what_it_writes_has_them_on_the_disk(
    dock: Dock,
) -> None:
    script = "stat -c %u:%g /bin/sh /home/app; touch /new; chown 7:8 /new; mkdir /d; stat -c %u /d"
    container = dock.start(
        "sh", "-c", f"{script}; cp /bin/busybox /etc/passwd.new", userns=REMAPPED
    )
    ended = dock.end_of(container)
    assert (ended.code, ended.stderr) == (0, "")
    assert ended.lines == ["0:0", "1000:1000", "0"]
    upper = Path(dock.engine.roots.container(container.id), "upper")
    found = (upper / "new").stat()
    assert (found.st_uid, found.st_gid, (upper / "d").stat().st_uid) == (7, 8, 0)


def test_volumes_and_files_are_shared_with_containers_of_the_hosts_ids(dock: Dock) -> None:
    mounts = (Mount(type="volume", source="v", target="/home/app"),)
    files = (FileSpec(target="/secret", content="hidden", uid=1000, mode=0o400, secret=True),)
    script = "stat -c %u /home/app; touch /home/app/made; cat /secret; echo 1.2.3.4 x >> /etc/hosts"
    ended = dock.sh(script, userns=REMAPPED, mounts=mounts, files=files)
    assert (ended.lines, ended.stderr) == (["1000", "hidden"], "")
    assert dock.sh("stat -c %u /home/app/made", mounts=mounts).lines == ["0"]


def test_directories_of_the_host_are_the_hosts(dock: Dock, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("readable\n")
    tmp_path.chmod(0o755)
    mounts = (
        Mount(type="bind", source=str(tmp_path), target="/b"),
        Mount(type="bind", source=str(tmp_path / "made"), target="/made"),
    )
    script = "cat /b/file; stat -c %u /b/file; touch /b/new; touch /made/new"
    ended = dock.sh(script, userns=REMAPPED, mounts=mounts)
    assert ended.lines == ["readable", "65534"]
    assert "Permission denied" in ended.stderr
    assert not (tmp_path / "new").exists()
    assert (tmp_path / "made/new").stat().st_uid == FIRST


def test_it_is_a_whole_container(dock: Dock) -> None:
    script = """
    mount | grep -c -E ' /(proc|sys|dev|dev/pts|dev/shm|dev/mqueue|sys/fs/cgroup) '
    echo x > /dev/null; head -c 1 /dev/zero | wc -c; echo out > /dev/stdout
    hostname; ls /sys/class/net; echo 1 > /proc/sys/kernel/msgmax && echo written
    """
    ended = dock.sh(script, userns=REMAPPED, hostname="web", sysctls={"kernel.msgmax": "4096"})
    assert ended.lines == ["7", "1", "out", "web", "lo"]
    assert "Read-only" in ended.stderr


def test_ours_may_be_its_init(dock: Dock) -> None:
    container = dock.idle(userns=REMAPPED, init=True, user="app", tty=True)
    assert eventually(lambda: Path(f"/proc/{container.pid}/comm").read_text() == "buoy-init\n")
    assert dock.exec(container, "cat", "/proc/2/cmdline").stdout == b"sleep\x001000\0"


def test_it_may_do_with_its_network_what_it_may(dock: Dock) -> None:
    dock.engine.networks.create(NetworkSpec(name="n"))
    asked = {"network": "networks", "endpoints": (EndpointSpec(network="n"),)}
    script = "ip link set eth0 mtu 1300 && ping -c1 -W20 $(hostname -i)"
    ended = dock.sh(script, userns=REMAPPED, cap_add=("NET_ADMIN",), **asked)
    assert ended.code == 0, ended.stderr


def test_the_settings_of_its_user_namespace_are_its_own(dock: Dock) -> None:
    asked = {"sysctls": {"user.max_uts_namespaces": "7"}}
    script = "cat /proc/sys/user/max_uts_namespaces"
    assert dock.sh(script, userns=REMAPPED, **asked).lines == ["7"]
    with pytest.raises(ContainerProblem, match="not the container's own"):
        dock.sh(script, **asked)


def test_an_exec_and_a_restart_stay_in_it(dock: Dock) -> None:
    container = dock.idle(userns=REMAPPED, restart=RestartPolicy(name="always"))
    before = Path(f"/proc/{container.pid}/ns/user").stat().st_ino
    assert dock.exec(container, "readlink", "/proc/self/ns/user").stdout.decode().strip() == (
        f"user:[{before}]"
    )
    os.kill(container.pid or 0, 9)
    again = dock.wait(container, lambda c: c.status == "running" and c.pid != container.pid)
    assert Path(f"/proc/{again.pid}/ns/user").stat().st_ino == before
    assert dock.exec(again, "id", "-u").stdout == b"0\n"


def test_another_may_share_its_namespaces(dock: Dock) -> None:
    donor = dock.idle(userns=REMAPPED, ipc_mode="shareable")
    joined = f"container:{donor.name}"
    guest = dock.idle(userns=REMAPPED, pid_mode=joined, ipc_mode=joined)
    for kind in ("user", "pid", "ipc"):
        one, two = (Path(f"/proc/{c.pid}/ns/{kind}").stat().st_ino for c in (donor, guest))
        assert one == two, kind
    dock.exec(donor, "sh", "-c", "echo x > /dev/shm/f")
    assert dock.exec(guest, "cat", "/dev/shm/f").stdout == b"x\n"


def test_the_engine_may_be_asked_for_it(dock: Dock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, REMAPPED)
    assert dock.sh("cat /proc/self/uid_map").stdout.split() == ["0", str(FIRST), "65536"]
    assert dock.sh("cat /proc/self/uid_map", userns="host").stdout.split()[1] == "0"
    assert dock.sh("head -c0 /dev/kmsg", userns="host", privileged=True).code == 0


@pytest.mark.parametrize("asked", [{"privileged": True}, {"network": "host"}, {"pid_mode": "host"}])
def test_what_needs_the_hosts_ids_is_a_problem(dock: Dock, asked: dict[str, object]) -> None:
    with pytest.raises(ContainerProblem) as caught:
        dock.start("true", userns=REMAPPED, **asked)
    assert caught.value.code == "userns-remap"


@pytest.mark.parametrize("asked", ["0:65536", "100000:100", "4294950000:65536", "nobody-has-ids"])
def test_a_range_that_cannot_be_is_a_problem(dock: Dock, asked: str) -> None:
    with pytest.raises(ContainerProblem) as caught:
        dock.create("true", userns=asked)
    assert caught.value.code == "userns-remap"


@pytest.mark.parametrize("running", [True, False], ids=["running", "stopped"])
def test_what_is_copied_has_the_ids_of_the_container(
    dock: Dock, tmp_path: Path, running: bool
) -> None:
    mounts = (Mount(type="volume", source="v", target="/v"),)
    container = dock.idle(userns=REMAPPED, mounts=mounts)
    (tmp_path / "d").mkdir()
    (tmp_path / "d/f").write_text("f")
    os.chown(tmp_path / "d/f", 7, 8)
    copying = dock.engine.containers
    if not running:
        dock.stop(container)
    for target in ("/plain", "/v/plain"):
        dock.run(copying.copy_in(container.id, str(tmp_path / "d"), target))
    for target in ("/kept", "/v/kept"):
        dock.run(copying.copy_in(container.id, str(tmp_path / "d"), target, archive=True))
    dock.run(copying.copy_out(container.id, "/v/kept", str(tmp_path / "back"), archive=True))
    dock.run(copying.copy_out(container.id, "/kept", str(tmp_path / "own")))
    assert ((tmp_path / "back/f").stat().st_uid, (tmp_path / "own/f").stat().st_uid) == (7, 0)
    if not running:
        container = dock.start_again(container)
    for place in ("", "/v"):
        found = dock.exec(container, "stat", "-c", "%u:%g", f"{place}/plain/f", f"{place}/kept/f")
        assert found.stdout.decode().split() == ["0:0", "7:8"]
