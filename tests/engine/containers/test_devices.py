"""Devices of the host inside a container: nodes, and who may open them (engine.md A14)."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine import ContainerProblem, DeviceSpec
from engine.containers import cdi
from engine.containers.devices import Devices
from tests.marks import needs_root

if TYPE_CHECKING:
    from tests.engine.containers.dock import Dock

pytestmark = needs_root

FUSE = "/dev/fuse"


def device(source: str, target: str | None = None, permissions: str = "rwm") -> DeviceSpec:
    return DeviceSpec(source=source, target=target, permissions=permissions)


def test_a_device_has_the_hosts_numbers_owner_and_mode(dock: Dock) -> None:
    found = Path(FUSE).stat()
    expected = f"{stat.S_IMODE(found.st_mode):o} {found.st_uid}:{found.st_gid} a:e5"
    script = "stat -c '%a %u:%g %t:%T' /dev/fuse /dev/other /opt/log; : < /opt/log && echo opened"
    devices = (device(FUSE), device(FUSE, "/dev/other"), device(FUSE, "/opt/log"))
    ended = dock.sh(script, devices=devices)
    assert ended.lines == [*[expected] * 3, "opened"]


@pytest.mark.parametrize(
    ("permissions", "allowed"), [("r", "r"), ("w", "w"), ("rw", "rw"), ("m", "")]
)
def test_it_is_opened_only_as_its_permissions_say(
    dock: Dock, permissions: str, allowed: str
) -> None:
    script = "(: < /dev/fuse) 2>/dev/null && echo r; (: > /dev/fuse) 2>/dev/null && echo w; true"
    ended = dock.sh(script, devices=(device(FUSE, permissions=permissions),))
    assert "".join(ended.lines) == allowed


def test_a_link_is_followed_and_a_directory_is_all_that_is_in_it(
    dock: Dock, tmp_path: Path
) -> None:
    (tmp_path / "link").symlink_to(FUSE)
    inner = tmp_path / "all/inner"
    inner.mkdir(parents=True)
    os.mknod(inner / "log", stat.S_IFCHR | 0o600, os.makedev(10, 229))
    os.mknod(tmp_path / "all/full", stat.S_IFCHR | 0o666, os.makedev(1, 7))
    (tmp_path / "all/file").touch()
    devices = (device(f"{tmp_path}/link", "/dev/link"), device(f"{tmp_path}/all", "/dev/all"))
    script = "stat -c %t:%T /dev/link /dev/all/inner/log /dev/all/full; ls /dev/all"
    ended = dock.sh(script, devices=devices)
    assert ended.lines == ["a:e5", "a:e5", "1:7", "full", "inner"]


def test_it_may_stand_for_one_that_every_container_has(dock: Dock) -> None:
    ended = dock.sh("stat -c %t:%T /dev/tty", devices=(device("/dev/zero", "/dev/tty"),))
    assert ended.lines == ["1:5"]


@pytest.mark.parametrize("source", ["/nowhere", "/etc/passwd", "/etc"])
def test_what_is_no_device_is_a_problem(dock: Dock, source: str) -> None:
    with pytest.raises(ContainerProblem, match=source) as caught:
        dock.start("true", devices=(device(source),))
    assert caught.value.code == "invalid-device"


def test_a_rule_allows_what_the_container_makes_itself(dock: Dock) -> None:
    script = "mknod /dev/k c 10 229; : < /dev/k && echo read"
    assert "read" not in dock.sh(script).stdout
    assert dock.sh(script, device_rules=("c 10:* r",)).lines == ["read"]
    assert dock.sh(script, device_rules=("a 10:229 rw",)).lines == ["read"]
    assert dock.sh(script, device_rules=("b *:* rwm",)).lines == []


def test_a_rule_for_both_kinds_is_not_one_for_all_devices(dock: Dock) -> None:
    """v1 takes `a` for everything, whatever numbers are behind it."""
    spec = dock.spec(device_rules=("a 1:11 r", "a *:* rwm"))
    assert Devices(spec).rules[-3:] == [
        {"allow": True, "type": "b", "major": 1, "minor": 11, "access": "r"},
        {"allow": True, "type": "c", "major": 1, "minor": 11, "access": "r"},
        {"allow": True, "type": "a", "access": "rwm"},
    ]


@pytest.mark.parametrize("rule", ["c 1:3", "x 1:3 r", "c 1 r", "c 1:3 rx", "c -1:3 r", "c a:b r"])
def test_a_rule_that_is_none_is_a_problem(dock: Dock, rule: str) -> None:
    with pytest.raises(ContainerProblem, match=rule) as caught:
        dock.start("true", device_rules=(rule,))
    assert caught.value.code == "invalid-device-rule"


def test_a_name_that_an_image_has_taken_for_something_else_is_a_problem(
    dock: Dock, rootfs: Path
) -> None:
    (rootfs / "opt").mkdir(exist_ok=True)
    (rootfs / "opt/log").write_text("no device")
    with pytest.raises(ContainerProblem, match="/opt/log is not the device"):
        dock.start("true", image=f"rootfs:{rootfs}", devices=(device(FUSE, "/opt/log"),))


# --- by name


@pytest.fixture
def specifications(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory for CDI specifications that the engine reads."""
    monkeypatch.setattr(cdi, "DIRECTORIES", (str(tmp_path),))
    return tmp_path


SPECIFICATION = {
    "cdiVersion": "0.6.0",
    "kind": "vendor.com/log",
    "containerEdits": {"env": ["VENDOR=1"]},
    "devices": [
        {"name": "one", "containerEdits": {"deviceNodes": [{"path": "/dev/fuse"}]}},
        {
            "name": "two",
            "containerEdits": {
                "env": ["TWO=2"],
                "deviceNodes": [
                    {"path": "/dev/v", "hostPath": "/dev/fuse", "permissions": "r", "uid": 7}
                ],
                "mounts": [{"hostPath": "/etc/hostname", "containerPath": "/v"}],
            },
        },
        {"name": "hook", "containerEdits": {"hooks": [{"hookName": "prestart", "path": "/x"}]}},
    ],
}


@pytest.mark.parametrize("form", ["json", "yaml"])
def test_a_named_device_brings_what_its_specification_says(
    dock: Dock, specifications: Path, form: str
) -> None:
    (specifications / f"vendor.{form}").write_text(json.dumps(SPECIFICATION))  # JSON is YAML
    script = "echo $VENDOR $TWO; stat -c '%u %t:%T' /dev/v; ls /dev/fuse; cmp /v /v; touch /v"
    both = tuple(device(f"vendor.com/log={name}") for name in ("one", "two"))
    ended = dock.sh(script, devices=both)
    assert ended.lines == ["1 2", "7 a:e5", "/dev/fuse"]
    assert "Read-only" in ended.stderr


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("vendor.com/log=three", "unknown-device"),
        ("nvidia.com/gpu=all", "unknown-device"),
        ("vendor.com/log=hook", "not-built-yet"),
    ],
)
def test_a_name_that_nothing_describes_is_a_problem(
    dock: Dock, specifications: Path, name: str, code: str
) -> None:
    (specifications / "vendor.json").write_text(json.dumps(SPECIFICATION))
    with pytest.raises(ContainerProblem, match=name.partition("=")[0]) as caught:
        dock.start("true", devices=(device(name),))
    assert caught.value.code == code


def test_a_specification_that_cannot_be_read_is_a_problem(dock: Dock, specifications: Path) -> None:
    (specifications / "vendor.yaml").write_text("{")
    with pytest.raises(ContainerProblem, match=r"vendor\.yaml"):
        dock.start("true", devices=(device("vendor.com/log=one"),))
