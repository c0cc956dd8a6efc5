"""The watch over leaks sees what it is for, and can put it away."""

from __future__ import annotations

import secrets
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine.state.paths import Roots
from tests import leaks
from tests.marks import needs_root
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = needs_root


@pytest.fixture
def roots(tmp_path: Path) -> Iterator[Roots]:
    """Roots that these tests leave things behind for; not those of the other tests, which check."""
    roots = Roots(f"{tmp_path}/root", f"{tmp_path}/run")
    Path(roots.root).mkdir()
    yield roots
    leaks.put_away(roots, set())


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leaks, "GRACE_S", 0.2)


def test_nothing_is_found_where_nothing_was_left(roots: Roots) -> None:
    assert leaks.left_behind(roots, set()) == []


def test_a_process_is_known_by_its_environment(roots: Roots) -> None:
    process = subprocess.Popen(["sleep", "60"], env={"BUOY_ROOT": roots.root})
    try:
        (found,) = leaks.left_behind(roots, set())
        assert found == f"process {process.pid}: sleep 60"
        leaks.put_away(roots, set())
        assert process.wait() == -9
    finally:
        process.kill()
        process.wait()


def test_a_process_in_another_mount_namespace_is_known_by_its_mounts(roots: Roots) -> None:
    script = f"mount -t tmpfs none {roots.root} && echo ready && exec sleep 60"
    with subprocess.Popen(
        ["unshare", "--mount", "sh", "-c", script], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        assert leaks.processes_of(roots) == [process.pid]
        leaks.put_away(roots, set())


def test_a_copy_of_a_mount_of_ours_makes_nobody_one_of_ours(roots: Roots) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "none", roots.root], check=True)
    with subprocess.Popen(
        ["unshare", "--mount", "sh", "-c", "echo ready && exec sleep 60"],
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        assert roots.root in Path(f"/proc/{process.pid}/mountinfo").read_text()
        assert leaks.processes_of(roots) == []
        process.kill()
    subprocess.run(["umount", roots.root], check=True)


def test_kernel_objects_are_known_by_name_and_can_be_put_away(roots: Roots) -> None:
    bridge = f"br-{secrets.token_hex(6)}"
    mount = Path(roots.root, "mount")
    mount.mkdir()
    cgroup = Path("/sys/fs/cgroup/pids", roots.kernel_name, "c1")
    if not cgroup.parents[1].is_dir():
        cgroup = Path("/sys/fs/cgroup", roots.kernel_name, "c1")
    cgroup.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "none", mount], check=True)
    subprocess.run(["ip", "link", "add", bridge, "type", "bridge"], check=True)
    subprocess.run(["nft", "add", "table", "ip", roots.kernel_name], check=True)
    assert leaks.left_behind(roots, {bridge}) == [
        f"mount {mount}",
        f"link {bridge}",
        f"nft table ip {roots.kernel_name}",
        f"cgroup {roots.kernel_name}/c1",
    ]
    leaks.put_away(roots, {bridge})
    # somebody who has just been given a mount namespace may have a copy of the mount a while longer
    assert eventually(lambda: leaks.left_behind(roots, {bridge}) == [])
    assert not cgroup.parent.exists()


def test_what_carries_no_name_is_found_by_comparing_the_machine() -> None:
    before = leaks.machine()
    name = f"veth{secrets.token_hex(4)}"[:11]
    subprocess.run(["ip", "link", "add", name, "type", "veth", "peer", f"{name}p"], check=True)
    try:
        found = leaks.new_since(before)
    finally:
        subprocess.run(["ip", "link", "delete", name], check=True)
    assert {f"link {name}", f"link {name}p"} <= set(found)
