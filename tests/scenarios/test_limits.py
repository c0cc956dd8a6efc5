"""Limits of the file, exceeded on purpose: what the kernel says, read back from it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine.cgroups.hierarchy import Hierarchies
from engine.containers.statefile import lock_holder
from tests.marks import needs_root
from tests.scenarios.conftest import COMMAND
from tests.waiting import LIMIT_S, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.images.image import Image
    from tests.scenarios.conftest import Buoy

pytestmark = needs_root
SERVICE = "services:\n  web:\n    image: busybox\n    stop_grace_period: 0s\n"
MIB = 1 << 20


def up(buoy: Buoy, keys: str, *, check: bool = True) -> str:
    """`up -d` of a service with `keys`: what it said."""
    lines = "".join(f"    {line}\n" for line in keys.splitlines())
    buoy.write("compose.yaml", SERVICE + lines)
    return buoy.run("up", "-d", check=check).stderr


def container(buoy: Buoy) -> dict[str, object]:
    found: dict[str, object] = json.loads(buoy.run("ps", "-a", "--format", "json").lines[0])
    return found


def state(buoy: Buoy) -> dict[str, object]:
    """What the monitor has written."""
    directory = Path(f"{buoy.roots.run_root}/containers")
    (path,) = directory.glob("*/state.json")
    found: dict[str, object] = json.loads(path.read_text())
    return found


def control(buoy: Buoy, controller: str, name: str) -> str:
    """A control file of the only container, on v1 or v2."""
    hierarchies = Hierarchies.detect()
    (directory,) = Path(f"{buoy.roots.run_root}/containers").iterdir()
    point = hierarchies.v1.get(controller) or hierarchies.v2
    return Path(f"{point}/{buoy.roots.kernel_name}/{directory.name}/{name}").read_text()


def test_too_much_memory(buoy: Buoy, busybox: Image) -> None:
    up(buoy, "mem_limit: 16m\nmemswap_limit: 16m\ncommand: tail -c 200m /dev/zero")
    assert eventually(lambda: container(buoy)["State"] != "running")
    found = container(buoy)
    assert (found["State"], found["ExitCode"]) == ("exited", 137)
    assert state(buoy)["oom_killed"] is True
    plan = buoy.run("plan").stdout
    assert plan == "#1 start container web-1: exited (137), out of memory\n"


def test_too_many_processes(buoy: Buoy, busybox: Image) -> None:
    up(buoy, "deploy: {resources: {limits: {pids: 4}}}\ncommand: sleep 1000")
    script = "for i in 1 2 3 4 5; do sleep 9 & done; echo all"
    done = buoy.run("exec", "-T", "web", "sh", "-c", script, check=False)
    assert (done.exit_code, "all" in done.stdout) != (0, True)
    assert "fork" in done.stderr
    assert control(buoy, "pids", "pids.max") == "4\n"


@contextlib.contextmanager
def without_processes(buoy: Buoy) -> Iterator[None]:
    """The monitor of the only container where no process may be added, for a with-block."""
    hierarchies = Hierarchies.detect()
    point = hierarchies.v1.get("pids") or hierarchies.v2
    (directory,) = Path(f"{buoy.roots.run_root}/containers").iterdir()
    monitor = lock_holder(str(directory))
    assert monitor is not None
    full, before = Path(f"{point}/{buoy.roots.kernel_name}-full"), cgroup_of(monitor, "pids")
    full.mkdir()
    try:
        (full / "cgroup.procs").write_text(str(monitor))
        (full / "pids.max").write_text("1")
        yield
    finally:
        Path(f"{point}{before}/cgroup.procs").write_text(str(monitor))
        assert eventually(lambda: (full / "cgroup.procs").read_text() == "")
        full.rmdir()


def cgroup_of(pid: int, controller: str) -> str:
    """Its group of a controller on v1, or on v2 where there is no such hierarchy."""
    lines = (line.split(":") for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines())
    found = {name: path for _, names, path in lines for name in names.split(",")}
    return found.get(controller) or found[""]


def test_a_host_without_a_process_left_ends_nothing(buoy: Buoy, busybox: Image) -> None:
    """What needs one waits, or fails: a relay for an IPv6 client, and a probe."""
    up(
        buoy,
        "command: httpd -f -p 80 -h /etc\nports: ['[::1]::80']\n"
        "healthcheck: {test: 'true', interval: 0.1s, retries: 1, start_period: 0s}",
    )
    assert eventually(lambda: "(healthy)" in buoy.run("ps").stdout)
    place = buoy.run("port", "web", "80").stdout.strip()
    with socket.socket(socket.AF_INET6) as client:
        client.settimeout(LIMIT_S)
        with without_processes(buoy):
            client.connect(("::1", int(place.rpartition(":")[2])))
            client.sendall(b"GET /passwd HTTP/1.0\r\n\r\n")
            assert eventually(lambda: "(unhealthy)" in buoy.run("ps").stdout)
        assert eventually(lambda: "(healthy)" in buoy.run("ps").stdout)
        assert b"root:" in client.makefile("rb").read()


def test_too_much_cpu_time(buoy: Buoy, busybox: Image) -> None:
    up(buoy, "cpus: 0.05\ncommand: ['sh', '-c', 'while :; do :; done']")

    def counted() -> dict[str, int]:
        pairs = (line.split() for line in control(buoy, "cpu", "cpu.stat").splitlines())
        return {name: int(value) for name, value in pairs}

    assert eventually(lambda: counted()["nr_throttled"] >= 2)
    stat = counted()
    assert stat["nr_throttled"] <= stat["nr_periods"]


def test_a_device_that_is_not_allowed(buoy: Buoy, busybox: Image) -> None:
    """The node can be made (CAP_MKNOD); to open it is what the cgroup refuses."""
    script = "mknod /dev/kmsg c 1 11 && head -c 1 /dev/kmsg"
    up(buoy, "command: sleep 1000")
    done = buoy.run("exec", "-T", "web", "sh", "-c", script, check=False)
    assert "Operation not permitted" in done.stderr
    assert done.exit_code == 1


def disk() -> str:
    """The whole disk that the tests' files are on."""
    device = Path("/var/tmp").stat().st_dev
    path = Path(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}")
    if not path.exists():
        pytest.skip("/var/tmp is on no block device")
    path = path.resolve()
    name = path.parent.name if (path / "partition").exists() else path.name
    return f"/dev/{name}"


def test_too_fast_a_disk(buoy: Buoy, busybox: Image) -> None:
    """2 MiB at 1 MiB/s take as long as that, and the kernel has counted them."""
    rates = f"blkio_config: {{device_write_bps: [{{path: {disk()}, rate: 1mb}}]}}"
    up(buoy, f"{rates}\ncommand: sleep 1000")
    begun = time.monotonic()
    script = "dd if=/dev/zero of=/file bs=128k count=16 oflag=direct"
    buoy.run("exec", "-T", "web", "sh", "-c", script)
    assert time.monotonic() - begun > 1.0
    if "blkio" in Hierarchies.detect().v1:
        served = control(buoy, "blkio", "blkio.throttle.io_service_bytes")
        written = re.search(r"Write (\d+)", served)
        assert written
        assert int(written[1]) >= 2 * MIB


def test_processors_of_its_own(buoy: Buoy, busybox: Image) -> None:
    up(buoy, "cpuset: '0'\ncommand: sleep 1000")
    status = buoy.run("exec", "-T", "web", "cat", "/proc/self/status").stdout
    assert "Cpus_allowed_list:\t0\n" in status


@pytest.mark.parametrize(
    ("keys", "place", "message"),
    [
        ("mem_limit: 1m", "compose.yaml:5:5", "memory.limit = 1048576"),
        ("cpuset: 0-4095", "compose.yaml:5:5", "available: "),
        ("cpus: 4096", "compose.yaml:5:5", "so many CPUs are here"),
        (
            "blkio_config: {device_read_bps: [{path: /no/disk, rate: 1mb}]}",
            *("compose.yaml:5:20", "/no/disk: No such file"),
        ),
    ],
)
def test_what_makes_no_sense_is_refused_at_its_place(
    buoy: Buoy, busybox: Image, keys: str, place: str, message: str
) -> None:
    said = up(buoy, keys, check=False)
    assert "limit-refused" in said
    assert place in said
    assert message in said


def test_what_the_host_has_nothing_for_is_said_at_its_place(buoy: Buoy, busybox: Image) -> None:
    """A host without a blkio hierarchy: a mount namespace in which it is not mounted."""
    blkio = Hierarchies.detect().v1.get("blkio")
    if blkio is None:
        pytest.skip("it is not on v1 here")
    buoy.write(
        "compose.yaml", SERVICE + "    blkio_config: {weight: 100}\n    command: sleep 1000\n"
    )
    script = f'umount {blkio} && exec "$0" up -d'
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", script, COMMAND],
        cwd=buoy.directory,
        env=buoy.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    what = "service `web`: blockIO.weight is discarded: this host has no blkio.bfq.weight"
    assert f"warning: compose.yaml:5:20: {what}" in done.stderr
    assert container(buoy)["State"] == "running"
