"""What we write is what the JSON Schemas of the runtime specification accept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from engine import DeviceSpec, HealthcheckSpec, Mount, Resources
from engine.oci import features, spec
from tests.engine.oci.schemas import DIRECTORY, complaints
from tests.marks import needs_root

if TYPE_CHECKING:
    from tests.engine.containers.dock import Dock
    from tests.engine.oci.runtime import Runtime

pytestmark = [
    needs_root,
    pytest.mark.material,
    pytest.mark.skipif(not DIRECTORY.exists(), reason="the specification is not beside us"),
]


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"privileged": True},
        {"tty": True, "user": "app:staff", "group_add": ("7",), "read_only": True},
        {"network": "host", "pid_mode": "host", "ipc_mode": "host"},
        {
            "resources": Resources(memory_bytes=1 << 26, cpus=0.5, cpu_shares=512, pids=20),
            "ulimits": {"nofile": (100, 200)},
            "sysctls": {"net.ipv4.ip_forward": "1"},
            "oom_score_adj": 100,
        },
        {
            "mounts": (
                Mount(type="bind", source="/etc", target="/a", read_only=True),
                Mount(type="tmpfs", target="/b", size_bytes=65536, mode=0o700),
            ),
            "devices": (DeviceSpec(source="/dev/zero", target="/dev/other", permissions="r"),),
            "healthcheck": HealthcheckSpec(test=("CMD", "true")),
            "init": True,
            "labels": {"a": "b"},
        },
    ],
    ids=["plain", "privileged", "user", "shared", "limited", "more"],
)
def test_the_launch_records_of_our_own_containers(dock: Dock, asked: dict[str, Any]) -> None:
    container = dock.idle(**asked)
    record = Path(dock.run_directory(container), "config.json").read_text()
    assert complaints("config-schema.json", json.loads(record)) == []


def test_what_spec_writes() -> None:
    assert complaints("config-schema.json", spec.example()) == []
    assert complaints("config-schema.json", spec.rootless(spec.example())) == []


def test_what_features_writes() -> None:
    assert complaints("features-schema.json", features.features()) == []


def test_states(oci: Runtime) -> None:
    name = oci.create(oci.config("true") | {"annotations": {"a": "b"}})
    assert complaints("state-schema.json", oci.state(name)) == []
    oci.ok("start", name)
    oci.wait(name)
    assert complaints("state-schema.json", oci.state(name)) == []


def test_the_schemas_would_notice() -> None:
    assert complaints("config-schema.json", {"ociVersion": "1.2.0", "hostname": 7}) != []
