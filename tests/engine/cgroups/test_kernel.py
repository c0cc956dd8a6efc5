"""Groups in the hierarchies of this machine, whichever they are."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import subprocess
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from engine.cgroups import devices, freezer, oom
from engine.cgroups.cgroup import Cgroup
from engine.cgroups.controls import LimitRefused
from engine.cgroups.hierarchy import V2, Hierarchies
from engine.kernel.mounts import mount, unmount
from engine.kernel.process import state_of
from tests.marks import needs_root
from tests.waiting import LIMIT_S, eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

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

    def is_removed() -> bool:
        """Only once what was killed has ended."""
        with contextlib.suppress(OSError):
            directory.rmdir()
        return not directory.exists()

    assert eventually(is_removed)
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


def started_in(group: Cgroup, script: str) -> subprocess.Popen[bytes]:
    """A shell, all of whose children are in the group."""
    process = subprocess.Popen(["sh", "-c", f"read go; {script}"], stdin=subprocess.PIPE)
    group.attach(process.pid)
    assert process.stdin is not None
    with process.stdin as told:
        told.write(b"\n")
    return process


def test_killing_ends_children_that_come_meanwhile(group: Cgroup) -> None:
    group.create({})
    script = "i=0; while [ $i -lt 500 ]; do sleep 99 & i=$((i+1)); done; wait"
    process = started_in(group, script)
    assert eventually(lambda: len(group.processes()) >= 40)
    group.kill()
    assert process.wait(timeout=LIMIT_S) == -signal.SIGKILL
    group.remove()  # waits for the last of them
    assert group.processes() == []


@pytest.fixture
def old(group: Cgroup) -> Cgroup:
    """As on kernels before 5.14, where there is no cgroup.kill: in the hierarchies of v1 alone."""
    v1 = Hierarchies(Hierarchies.detect().v1, None)
    if "freezer" not in v1.v1:
        pytest.skip("no freezer of v1 here")
    found = Cgroup(v1, Path(group.directories["pids"]).parent.name, "one")
    found.create({})
    return found


def test_killing_without_cgroup_kill(old: Cgroup) -> None:
    process = started_in(old, "sleep 99 & sleep 99 & wait")
    assert eventually(lambda: len(old.processes()) == 3)
    old.kill()
    assert process.wait(timeout=LIMIT_S) == -signal.SIGKILL


def test_killed_while_one_above_is_frozen_it_ends_with_that(
    old: Cgroup, sleeper: subprocess.Popen[bytes]
) -> None:
    above = {"freezer": str(Path(old.directories["freezer"]).parent)}
    old.attach(sleeper.pid)
    assert freezer.set_frozen(above, frozen=True)
    try:
        old.kill()
        assert sleeper.poll() is None
    finally:
        freezer.set_frozen(above, frozen=False)
    assert sleeper.wait(timeout=LIMIT_S) == -signal.SIGKILL


@pytest.mark.parametrize("version", [1, 2])
def test_what_is_frozen_does_not_run(group: Cgroup, version: int) -> None:
    group.create({})
    directories = {k: v for k, v in group.directories.items() if (k == V2) == (version == 2)}
    script = "trap 'exit 3' TERM; echo ready; while :; do :; done"
    process = subprocess.Popen(["sh", "-c", script], stdout=subprocess.PIPE)
    assert process.stdout is not None
    with process.stdout as ready:
        ready.readline()
    group.attach(process.pid)
    if not freezer.set_frozen(directories, frozen=True):
        pytest.skip(f"no freezer of v{version} here")
    assert freezer.is_frozen(directories)
    before = _ticks(process.pid)
    assert _ticks(process.pid) == before
    process.send_signal(signal.SIGTERM)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(timeout=0.1)
    assert _ticks(process.pid) == before
    assert freezer.set_frozen(directories, frozen=False)
    assert process.wait(timeout=LIMIT_S) == 3
    assert not freezer.is_frozen(directories)


def test_what_is_frozen_can_be_killed(group: Cgroup, sleeper: subprocess.Popen[bytes]) -> None:
    group.create({})
    group.attach(sleeper.pid)
    assert group.freeze()
    group.kill()
    assert sleeper.wait(timeout=LIMIT_S) == -signal.SIGKILL


def test_a_v1_freeze_from_above_is_not_the_groups_own(group: Cgroup) -> None:
    if "freezer" not in group.directories:
        pytest.skip("no freezer of v1 here")
    group.create({})
    inside = group.directories["freezer"]
    above = {"freezer": str(Path(inside).parent)}
    assert freezer.set_frozen(above, frozen=True)
    assert (Path(inside) / "freezer.state").read_text() == "FROZEN\n"
    assert not freezer.is_frozen({"freezer": inside})
    assert freezer.set_frozen(above, frozen=False)


def test_freezing_on_v2(unified: Path, sleeper: subprocess.Popen[bytes]) -> None:
    (unified / "cgroup.procs").write_text(str(sleeper.pid))
    for frozen in (True, False):
        assert freezer.set_frozen({V2: str(unified)}, frozen=frozen)
        assert freezer.is_frozen({V2: str(unified)}) == frozen
        assert not frozen or "frozen 1" in (unified / "cgroup.events").read_text()
    assert not freezer.set_frozen({}, frozen=True)


@pytest.fixture
def unresting(unified: Path, tmp_path: Path) -> Iterator[Callable[[], None]]:
    """In the group is a process that waits in the kernel, for a filesystem that does not answer;
    what makes it answer."""
    place = tmp_path / "silent"
    place.mkdir()
    fd = os.open("/dev/fuse", os.O_RDWR)
    mount("silent", str(place), "fuse", 0, f"fd={fd},rootmode=40000,user_id=0,group_id=0")
    with contextlib.ExitStack() as answer:
        answer.callback(os.close, fd)
        process = subprocess.Popen(["stat", place], stderr=subprocess.DEVNULL)
        (unified / "cgroup.procs").write_text(str(process.pid))
        assert eventually(lambda: (state_of(process.pid) or "").startswith("D"))
        yield answer.close
    process.wait()
    unmount(str(place))


def test_one_that_waits_in_the_kernel_is_waited_for(
    unified: Path, unresting: Callable[[], None]
) -> None:
    timer = threading.Timer(0.5, unresting)
    timer.start()
    try:
        assert freezer.set_frozen({V2: str(unified)}, frozen=True)
        assert "frozen 1" in (unified / "cgroup.events").read_text()
        freezer.set_frozen({V2: str(unified)}, frozen=False)
    finally:
        timer.join()


@pytest.mark.usefixtures("unresting")
def test_one_that_does_not_come_to_rest_is_not_left_half_frozen(unified: Path) -> None:
    with pytest.raises(OSError, match="did not become frozen"):
        freezer.set_frozen({V2: str(unified)}, frozen=True, limit_s=0.1)
    assert not freezer.is_frozen({V2: str(unified)})


def test_the_limits_are_in_the_kernel(group: Cgroup) -> None:
    asked = {"memory": {"limit": 64 << 20, "swap": 64 << 20}, "pids": {"limit": 7}}
    if group.create(asked):
        pytest.skip("not all controllers are delegated here")
    hierarchies = Hierarchies.detect()
    version = hierarchies.version_of("memory")
    name = {1: "memory.limit_in_bytes", 2: "memory.max"}[version]
    directory = group.directories["memory" if version == 1 else V2]
    assert (Path(directory) / name).read_text() == f"{64 << 20}\n"
    assert oom.kills(oom.counters_of(group.directories)) == 0


def test_all_kinds_of_limits_are_in_the_kernel(group: Cgroup) -> None:
    """On v1, as far as this machine has it; then changed in the living group."""
    hierarchies = Hierarchies.detect()
    if not {"cpu", "memory", "cpuset", "blkio"} <= hierarchies.v1.keys():
        pytest.skip("the controllers are not on v1 here")
    disk = {"major": 254, "minor": 0}
    if not Path("/sys/dev/block/254:0").exists():
        pytest.skip("there is no disk 254:0 here")
    discarded = group.create(
        {
            "memory": {
                "limit": 64 << 20,
                "swap": 128 << 20,
                "reservation": 8 << 20,
                "swappiness": 7,
            },
            "cpu": {"shares": 512, "quota": 50_000, "period": 100_000, "cpus": "0", "mems": "0"},
            "pids": {"limit": 7},
            "blockIO": {"throttleReadBpsDevice": [{**disk, "rate": 1 << 20}]},
        }
    )
    assert discarded == []

    def read(controller: str, name: str) -> str:
        return Path(group.directories[controller], f"{controller}.{name}").read_text().strip()

    assert read("memory", "soft_limit_in_bytes") == f"{8 << 20}"
    assert read("memory", "swappiness") == "7"
    assert (read("cpu", "shares"), read("cpu", "cfs_quota_us")) == ("512", "50000")
    assert (read("cpuset", "cpus"), read("cpuset", "mems")) == ("0", "0")
    assert read("blkio", "throttle.read_bps_device") == f"254:0 {1 << 20}"
    # raised, lowered, and in the order that a new period and quota need
    for memory, swap in ((256, 512), (32, 64), (64, -1), (-1, None)):
        limit = memory << 20 if memory > 0 else memory
        both = swap << 20 if swap and swap > 0 else swap
        group.update({"memory": {"limit": limit, "swap": both}})
        if memory > 0:
            assert read("memory", "limit_in_bytes") == str(limit)
    group.update({"cpu": {"quota": 5_000, "period": 5_000}})
    group.update({"cpu": {"quota": 1_000, "period": 1_000_000}})
    group.update({"cpu": {"quota": 2_000}})
    assert (read("cpu", "cfs_quota_us"), read("cpu", "cfs_period_us")) == ("2000", "1000000")
    assert read("pids", "max") == "7"  # what is not named stays


def test_real_time_is_lent_by_the_groups_above(group: Cgroup) -> None:
    group.create({})
    directory = Path(group.directories.get("cpu", ""))
    if not (directory / "cpu.rt_runtime_us").exists():
        pytest.skip("the kernel has no real-time groups")
    assert group.update({"cpu": {"realtimeRuntime": 5_000, "realtimePeriod": 100_000}}) == []
    assert (directory / "cpu.rt_runtime_us").read_text() == "5000\n"
    assert (directory / "cpu.rt_period_us").read_text() == "100000\n"


@pytest.mark.parametrize(
    ("resources", "setting"),
    [
        ({"cpu": {"cpus": "0-4095"}}, "cpu.cpus"),
        ({"cpu": {"shares": 1}}, "cpu.shares"),
        ({"memory": {"swappiness": 300}}, "memory.swappiness"),
        (
            {"blockIO": {"throttleReadBpsDevice": [{"major": 99, "minor": 99, "rate": 5}]}},
            "blockIO.throttleReadBpsDevice",
        ),
    ],
)
def test_a_limit_that_the_kernel_refuses_is_named(
    group: Cgroup, resources: dict[str, Any], setting: str
) -> None:
    group.create({})
    if not {"cpu", "memory", "cpuset", "blkio"} <= Hierarchies.detect().v1.keys():
        pytest.skip("the controllers are not on v1 here")
    with pytest.raises(LimitRefused) as caught:
        group.update(resources)
    assert caught.value.setting == setting


# --- cgroup v2 as it is on any machine: with or without controllers


@pytest.fixture
def huge(unified: Path) -> Path:
    """A group of v2 to which the kernel gives a controller."""
    offered = (unified / "cgroup.controllers").read_text().split()
    if "hugetlb" not in offered:
        top = unified.parent / "cgroup.subtree_control"
        if "hugetlb" not in (unified.parent / "cgroup.controllers").read_text():
            pytest.skip("hugetlb is not a controller of v2 here")
        top.write_text("+hugetlb")
    return unified


def take_back(group: Path) -> None:
    """It passes nothing on any more: it may have processes again."""
    for controller in (group / "cgroup.subtree_control").read_text().split():
        (group / "cgroup.subtree_control").write_text(f"-{controller}")


def test_huge_pages_on_v2(huge: Path) -> None:
    group = Cgroup(Hierarchies({}, str(huge)), "buoy", "web")
    wanted = {"hugepageLimits": [{"pageSize": "2MB", "limit": 4 << 20}]}
    assert group.create(wanted) == []
    leaf = Path(group.directories[V2])
    assert (leaf / "hugetlb.2MB.max").read_text() == f"{4 << 20}\n"
    group.update({"unified": {"hugetlb.2MB.max": "0"}})
    assert (leaf / "hugetlb.2MB.max").read_text() == "0\n"
    assert (leaf / "cgroup.subtree_control").read_text().strip() == ""  # the leaf passes nothing on
    group.remove()


def test_processes_at_the_top_of_a_namespace_make_room(
    huge: Path, sleeper: subprocess.Popen[bytes]
) -> None:
    """As in a container that runs containers: it is in the group that is to pass controllers on."""
    (huge / "cgroup.procs").write_text(str(sleeper.pid))
    group = Cgroup(Hierarchies({}, str(huge)), "buoy", "web")
    assert group.create({"hugepageLimits": [{"pageSize": "2MB", "limit": 0}]}) == []
    assert "hugetlb" in (huge / "cgroup.subtree_control").read_text().split()
    assert (huge / "init/cgroup.procs").read_text().split() == [str(sleeper.pid)]
    sleeper.kill()
    sleeper.wait()
    group.remove()
    (huge / "init").rmdir()
    take_back(huge)


def test_processes_of_others_are_left_where_they_are(
    huge: Path, sleeper: subprocess.Popen[bytes]
) -> None:
    theirs = huge / "theirs"
    theirs.mkdir()
    (theirs / "cgroup.procs").write_text(str(sleeper.pid))
    group = Cgroup(Hierarchies({}, str(huge)), "theirs", "web", keep_parent=True)
    discarded = group.create({"hugepageLimits": [{"pageSize": "2MB", "limit": 0}]})
    assert [setting for setting, _ in discarded] == ["hugepageLimits"]
    assert (theirs / "cgroup.procs").read_text().split() == [str(sleeper.pid)]
    group.remove()
    assert theirs.exists()
    sleeper.kill()
    sleeper.wait()
    theirs.rmdir()
    take_back(huge)


def test_a_threaded_group_can_hold_no_container(unified: Path) -> None:
    threads = unified / "threads"
    threads.mkdir()
    (threads / "cgroup.type").write_text("threaded")
    group = Cgroup(Hierarchies({}, str(unified)), "threads", "web")
    with pytest.raises(OSError, match="threaded"):
        group.create({})
    group.remove()
    assert not threads.exists()


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


ALLOW = {"allow": True, "access": "rwm"}
ZERO = {"allow": False, "type": "c", "major": 1, "minor": 5, "access": "w"}
MEM = {"allow": False, "major": 1, "minor": -1}


@pytest.mark.parametrize(
    ("rules", "answers"),
    [
        ([ALLOW, ZERO], ["opened", "Operation not permitted"]),
        ([DENY, ALLOW, MEM, NULL], ["opened", "Operation not permitted"]),
        ([DENY, NULL, MEM], ["Operation not permitted"] * 2),
    ],
)
def test_the_last_rule_about_a_device_counts(
    unified: Path, rules: list[dict[str, Any]], answers: list[str]
) -> None:
    devices.limit(Hierarchies({}, str(unified)), {V2: str(unified)}, rules)
    assert open_inside(unified, "/dev/null", "/dev/zero") == answers


def test_v1_takes_exceptions_from_what_is_allowed(group: Cgroup) -> None:
    if "devices" not in group.directories:
        pytest.skip("devices are not on v1 here")
    group.create({"devices": [DENY, ALLOW, ZERO]})
    directory = Path(group.directories["devices"])
    answers = open_inside(directory, "/dev/null", "/dev/zero")
    assert answers == ["opened", "Operation not permitted"]


def _ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])
