"""E3, E4, E5, E19: mounts that somebody else wants to lead elsewhere."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine import ContainerProblem, Mount
from tests import leaks
from tests.attacks.rounds import rounds
from tests.marks import needs_root

if TYPE_CHECKING:
    from tests.engine.containers.dock import Dock

pytestmark = [needs_root, pytest.mark.timeout(300)]  # of what may fail, some has to succeed

STARTS = 8


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A directory of the host that nothing may get into, or out of."""
    (tmp_path / "secret").write_text("of the host\n")
    return tmp_path


def volume(target: str, subpath: str | None = None) -> Mount:
    return Mount(type="volume", source="shared", target=target, subpath=subpath, nocopy=True)


def swapping(dock: Dock, links: str) -> None:
    """A container that makes `d` in the shared volume a directory and a link, again and again."""
    script = f"""cd /v; mkdir -p d/sub; echo inside > d/own
    for to in {links}; do ln -s $to link-$(echo $to | tr -d ./); done
    echo ready
    while :; do for l in link-*; do
        mv -T d kept; mv -T $l d; mv -T d $l; mv -T kept d
    done; done"""
    dock.wait_for_line(dock.start("sh", "-c", script, mounts=(volume("/v"),)), "ready")


def test_a_directory_swapped_while_it_is_mounted_on_leads_nowhere(
    dock: Dock, outside: Path
) -> None:
    """CVE-2021-30465: the target is in a volume that another container writes to."""
    swapping(dock, f"/../../../../../..{outside} / /proc /sys/fs/cgroup")
    places = (str(outside), "/proc", "/sys", dock.engine.roots.root)
    mounted = leaks.mounts_below(*places)
    started: list[int] = []
    for number in rounds(STARTS, started):
        mounts = (volume("/v"), Mount(type="tmpfs", target="/v/d/sub"))
        with contextlib.suppress(ContainerProblem):
            ended = dock.sh(
                "touch /v/d/sub/x 2>/dev/null; ls /proc/self/fd > /dev/null && echo ok",
                mounts=mounts,
            )
            assert ended.lines == ["ok"]  # what was mounted has not covered /proc
            started.append(number)
    assert [path.name for path in outside.iterdir()] == ["secret"]
    assert leaks.mounts_below(*places) == mounted


def test_a_part_of_a_volume_swapped_while_it_is_mounted_is_inside(
    dock: Dock, outside: Path
) -> None:
    """The class of Kubernetes' CVE-2017-1002101: a subpath that becomes a link."""
    swapping(dock, f"/../../../../../..{outside} ../../../../../../../../..{outside}")
    seen: set[str] = set()
    for _ in rounds(STARTS, seen):
        with contextlib.suppress(ContainerProblem):
            seen |= set(dock.sh("ls /part", mounts=(volume("/part", "d"),)).lines)
    assert seen == {"own", "sub"}


def test_what_fills_a_volume_is_of_the_image_alone(dock: Dock, outside: Path) -> None:
    """The directory that is copied lies in a volume that another container writes to."""
    swapping(dock, f"/../../../../../..{outside}")
    for number in range(STARTS):
        filled = Mount(type="volume", source=f"copy{number}", target="/v/d")
        with contextlib.suppress(ContainerProblem):
            lines = dock.sh("ls /v/d", mounts=(volume("/v"), filled)).lines
            assert "secret" not in lines


def test_a_pipe_that_is_copied_into_a_volume_does_not_block(dock: Dock, rootfs: Path) -> None:
    for name in ("data", "data/deep"):
        (rootfs / name).mkdir()
    os.mkfifo(rootfs / "data/deep/pipe")
    os.mknod(rootfs / "data/disk", 0o60666, os.makedev(8, 0))
    (rootfs / "data/link").symlink_to("/../../../../../../etc/shadow")
    mount = Mount(type="volume", source="v", target="/data")
    script = "cd /data; stat -c %F disk deep/pipe link; head -c 1 disk"
    ended = dock.sh(script, image=f"rootfs:{rootfs}", mounts=(mount,))
    assert ended.lines == ["block special file", "fifo", "symbolic link"]
    assert "Operation not permitted" in ended.stderr


@pytest.mark.parametrize("kind", ["volume", "bind", "tmpfs"])
@pytest.mark.parametrize("target", ["/proc", "/proc/", "/sys/../proc"])
def test_nothing_but_procfs_is_proc(dock: Dock, tmp_path: Path, kind: str, target: str) -> None:
    """CVE-2019-19921: what we write to /proc would go to somebody's files."""
    source = {"volume": "v", "bind": str(tmp_path), "tmpfs": ""}[kind]
    mount = Mount(type=kind, source=source, target=target)  # type: ignore[arg-type]
    with pytest.raises(ContainerProblem, match="proc") as caught:
        dock.start("true", mounts=(mount,), sysctls={"net.ipv4.ip_forward": "1"})
    assert caught.value.code == "mount"
    assert list(tmp_path.iterdir()) == []


def test_the_hosts_proc_may_be(dock: Dock) -> None:
    mount = Mount(type="bind", source="/proc", target="/proc")
    assert dock.sh("cat /proc/1/comm", mounts=(mount,)).lines == [
        Path("/proc/1/comm").read_text().strip()
    ]


@pytest.mark.parametrize("null", ["link", "file", "pipe", "zero", "none"])
def test_paths_are_masked_with_nothing_but_the_null_device(
    dock: Dock, tmp_path: Path, null: str
) -> None:
    """CVE-2025-31133: /dev is a volume of the user's, and its `null` is not what it seems."""
    place = tmp_path / "null"
    if null == "link":
        place.symlink_to("/etc/passwd")
    elif null == "file":
        place.write_text("not null")
    elif null == "pipe":
        os.mkfifo(place)
    elif null == "zero":
        os.mknod(place, 0o20666, os.makedev(1, 5))
    mount = Mount(type="bind", source=str(tmp_path), target="/dev")
    with pytest.raises(ContainerProblem):
        dock.start("true", mounts=(mount,))


@pytest.mark.parametrize("name", ["console", "ptmx", "pts", "pts/0", "tty"])
def test_a_terminal_is_none_that_the_image_has(
    dock: Dock, outside: Path, tmp_path_factory: pytest.TempPathFactory, name: str
) -> None:
    """CVE-2025-52565: /dev is a volume of the user's that leads the console elsewhere."""
    dev = tmp_path_factory.mktemp("dev")
    (dev / name).parent.mkdir(exist_ok=True)
    (dev / name).symlink_to(f"/../../../../../..{outside}/secret")
    mount = Mount(type="bind", source=str(dev), target="/dev")
    with contextlib.suppress(ContainerProblem):
        dock.end_of(dock.start("sh", "-c", "echo x > /dev/console", mounts=(mount,), tty=True))
    assert (outside / "secret").read_text() == "of the host\n"
    assert str(outside) not in Path("/proc/self/mountinfo").read_text()
