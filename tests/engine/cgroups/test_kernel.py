"""Groups in the hierarchies of this machine, whichever they are."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine.cgroups import devices, freezer
from engine.cgroups.cgroup import Cgroup
from engine.cgroups.hierarchy import V2, Hierarchies
from tests.marks import needs_root

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = needs_root

DENY = {"allow": False, "access": "rwm"}
NULL = {"allow": True, "type": "c", "major": 1, "minor": 3, "access": "rwm"}
MAKE_ANY = {"allow": True, "type": "c", "access": "m"}


@pytest.fixture
def group() -> Iterator[Cgroup]:
    parent = f"buoy-test-{secrets.token_hex(4)}"
    hierarchies = Hierarchies.detect()
    group = Cgroup(hierarchies, parent, "one")
    yield group
    group.kill()
    group.remove()
    for directory in group.directories.values():
        Path(directory).parent.rmdir() if Path(directory).parent.exists() else None


@pytest.fixture
def unified(tmp_path: Path) -> Iterator[Path]:
    """A group of its own in a cgroup2 mount of its own."""
    mount = tmp_path / "cgroup2"
    mount.mkdir()
    subprocess.run(["mount", "-t", "cgroup2", "none", mount], check=True)
    directory = mount / f"buoy-test-{secrets.token_hex(4)}"
    directory.mkdir()
    yield directory
    (directory / "cgroup.kill").write_text("1")
    while (directory / "cgroup.procs").read_text():
        time.sleep(0.001)
    directory.rmdir()
    subprocess.run(["umount", mount], check=True)


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(["sleep", "1000"])
    yield process
    process.kill()
    process.wait()


def test_a_process_is_in_every_hierarchy(group: Cgroup, sleeper: subprocess.Popen[bytes]) -> None:
    assert group.create({}) == []
    group.attach(sleeper.pid)
    lines = Path(f"/proc/{sleeper.pid}/cgroup").read_text().splitlines()
    mounted = [line for line in lines if line.split(":")[2].endswith("/one")]
    assert len(mounted) == len(set(group.directories.values()))
    assert group.processes() == [sleeper.pid]


def test_making_it_twice_and_removing_it_twice_is_accepted(group: Cgroup) -> None:
    group.create({})
    group.create({"pids": {"limit": 5}})
    assert all(Path(directory).is_dir() for directory in group.directories.values())
    group.remove()
    group.remove()
    assert not any(Path(directory).exists() for directory in group.directories.values())


def test_killing_ends_children_that_come_meanwhile(group: Cgroup) -> None:
    group.create({})
    script = "sleep 0.2; i=0; while [ $i -lt 500 ]; do sleep 99 & i=$((i+1)); done; wait"
    process = subprocess.Popen(["sh", "-c", script])
    group.attach(process.pid)
    while len(group.processes()) < 40:
        time.sleep(0.001)
    group.kill()
    assert process.wait(timeout=10) == -signal.SIGKILL
    group.remove()  # waits for the last of them
    assert group.processes() == []


def test_killing_without_cgroup_kill(group: Cgroup) -> None:
    """As on kernels before 5.14: frozen, signalled, thawed."""
    v1 = Hierarchies(Hierarchies.detect().v1, None)
    if not v1.v1:
        pytest.skip("all controllers are on v2 here")
    old = Cgroup(v1, Path(group.directories["pids"]).parent.name, "one")
    old.create({})
    process = subprocess.Popen(["sh", "-c", "sleep 99 & sleep 99 & wait"])
    old.attach(process.pid)
    old.kill()
    assert process.wait(timeout=10) == -signal.SIGKILL


def test_what_is_frozen_does_not_run(group: Cgroup) -> None:
    group.create({})
    process = subprocess.Popen(["sh", "-c", "while :; do :; done"])
    group.attach(process.pid)
    assert freezer.set_frozen(group.directories, frozen=True)
    before = _ticks(process.pid)
    assert _ticks(process.pid) == before
    process.send_signal(signal.SIGTERM)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(timeout=0.1)
    assert _ticks(process.pid) == before
    assert freezer.set_frozen(group.directories, frozen=False)
    assert process.wait(timeout=10) == -signal.SIGTERM


def test_freezing_on_v2(unified: Path, sleeper: subprocess.Popen[bytes]) -> None:
    (unified / "cgroup.procs").write_text(str(sleeper.pid))
    for frozen in (True, False):
        assert freezer.set_frozen({V2: str(unified)}, frozen=frozen)
        assert f"frozen {int(frozen)}" in (unified / "cgroup.events").read_text()
    assert not freezer.set_frozen({}, frozen=True)


def test_the_limits_are_in_the_kernel(group: Cgroup) -> None:
    asked = {"memory": {"limit": 64 << 20, "swap": 64 << 20}, "pids": {"limit": 7}}
    if group.create(asked):
        pytest.skip("not all controllers are delegated here")
    hierarchies = Hierarchies.detect()
    version = hierarchies.version_of("memory")
    name = {1: "memory.limit_in_bytes", 2: "memory.max"}[version]
    directory = group.directories["memory" if version == 1 else V2]
    assert (Path(directory) / name).read_text() == f"{64 << 20}\n"
    assert group.oom_kills() == 0


# --- devices on v2: a BPF program


OPEN = """
import os, sys
group, *paths = sys.argv[1:]
open(f"{group}/cgroup.procs", "w").write(str(os.getpid()))
for path in paths:
    try:
        os.close(os.open(path, os.O_RDWR))
        print("opened")
    except OSError as error:
        print(error.strerror)
"""


def open_inside(group: Path, *paths: str) -> list[str]:
    command = ["python3", "-I", "-c", OPEN, str(group), *paths]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return done.stdout.splitlines()


def test_a_device_that_no_rule_names_cannot_be_opened(unified: Path) -> None:
    paths = ("/dev/null", "/dev/zero")
    assert open_inside(unified, *paths) == ["opened", "opened"]
    devices.limit(Hierarchies({}, str(unified)), {V2: str(unified)}, [DENY, MAKE_ANY, NULL])
    assert open_inside(unified, *paths) == ["opened", "Operation not permitted"]
    assert os.access("/dev/zero", os.W_OK)


@pytest.mark.parametrize(
    ("rule", "answers"),
    [
        ({"allow": True, "type": "c", "access": "rwm"}, ["opened", "opened"]),
        ({"allow": True, "type": "a", "access": "rwm"}, ["opened", "opened"]),
        ({"allow": True, "type": "b", "access": "rwm"}, ["Operation not permitted"] * 2),
        ({"allow": True, "type": "c", "access": "rm"}, ["Operation not permitted"] * 2),
        (
            {"allow": True, "type": "c", "major": 1, "minor": 5, "access": "rw"},
            ["Operation not permitted", "opened"],
        ),
        ({"allow": True, "type": "c", "major": 1, "access": "rw"}, ["opened", "opened"]),
    ],
)
def test_rules_are_of_type_number_and_access(
    unified: Path, rule: dict[str, object], answers: list[str]
) -> None:
    devices.limit(Hierarchies({}, str(unified)), {V2: str(unified)}, [DENY, rule])
    assert open_inside(unified, "/dev/null", "/dev/zero") == answers


def _ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])
