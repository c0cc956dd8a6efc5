"""Mounts in all forms of the file, through the command."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.marks import needs_root

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.scenarios.conftest import Buoy

pytestmark = [needs_root, pytest.mark.usefixtures("busybox")]

TEXT = """
services:
  tools:
    build: {context: ., dockerfile_inline: "FROM busybox\\nRUN mkdir /t && echo tool > /t/tool"}
    command: mkdir -p /data/made
    volumes: ["data:/data"]
  app:
    image: busybox
    command: sleep 1000
    stop_grace_period: 0s
    depends_on: {tools: {condition: service_completed_successfully}}
    volumes:
      - {type: image, source: tools, target: /tools}
      - {type: image, source: tools, target: /part, image: {subpath: t}}
      - {type: image, source: busybox, target: /busybox}
      - type: volume
        source: data
        target: /made
        volume: {subpath: made, nocopy: true}
      - type: bind
        source: .
        target: /here
        read_only: true
        bind: {recursive: writable, propagation: rslave}
      - {type: tmpfs, target: /scratch, tmpfs: {size: 1m, mode: 01770}}
    tmpfs: "/run:mode=755,uid=7,size=64k,exec"
    read_only: true
volumes: {data: }
"""


@pytest.fixture
def shared(buoy: Buoy) -> Iterator[None]:
    """The project's directory is a shared mount, with another one, `below`, in it."""
    below = buoy.directory / "below"
    below.mkdir()
    subprocess.run(["mount", "--bind", buoy.directory, buoy.directory], check=True)
    subprocess.run(["mount", "--make-shared", buoy.directory], check=True)
    subprocess.run(["mount", "-t", "tmpfs", "below", below], check=True)
    yield
    buoy.run("down", "-v")
    subprocess.run(["umount", "-R", buoy.directory], check=True)


@pytest.mark.usefixtures("shared")
def test_a_service_has_its_mounts(buoy: Buoy) -> None:
    buoy.write("compose.yaml", TEXT)
    buoy.run("up", "-d")

    def sh(script: str) -> list[str]:
        return buoy.run("exec", "-T", "app", "sh", "-c", f"{script}; true").lines

    assert sh("cat /tools/t/tool /part/tool; ls /busybox/bin/sh") == [
        "tool",
        "tool",
        "/busybox/bin/sh",
    ]
    writable = "/tools/x /part/x /busybox/x /made/x /here/x /here/below/x /scratch/x /run/x /x"
    script = f"for f in {writable}; do (: > $f) 2>/dev/null && echo $f"
    assert sh(f"{script}; done") == ["/made/x", "/here/below/x", "/scratch/x", "/run/x"]
    assert sh("stat -c '%a %u' /scratch /run; df -k /scratch /run | awk '{print $2}'") == [
        *("1770 0", "755 7"),
        *("1K-blocks", "1024", "64"),
    ]
    assert "noexec" not in sh("grep ' /run ' /proc/mounts")[0]
    assert "noexec" in sh("grep ' /scratch ' /proc/mounts")[0]
    assert buoy.run("plan").stdout.count("app-1") == 0


@pytest.mark.parametrize(
    ("mount", "where", "what"),
    [
        ("{type: bind, source: ., target: /x, bind: {propagation: up}}", "4:71", "`up` is not"),
        ("{type: volume, target: /x, volume: {subpath: ../x}}", "4:60", "`../x` is not"),
        ("{type: image, target: /x}", "4:15", "needs its `source`"),
        (
            "{type: bind, source: ., target: /x, bind: {recursive: readonly}}",
            "4:5",
            "not read-only",
        ),
        ("{type: cluster, source: x, target: /x}", "4:22", "`cluster` is not built yet"),
        ("{type: npipe, source: x, target: /x}", "4:22", "`npipe` is not built yet"),
    ],
)
def test_what_cannot_be_mounted_is_told_with_its_place(
    buoy: Buoy, mount: str, where: str, what: str
) -> None:
    said = buoy.refused(f"volumes: [{mount}]")
    assert what in said
    assert f"compose.yaml:{where}" in said


def test_a_volume_may_be_elsewhere(buoy: Buoy) -> None:
    text = """
    services:
      app:
        image: busybox
        command: sh -c "echo made > /v/new; sleep 1000"
        stop_grace_period: 0s
        volumes: ["v:/v"]
    volumes:
      v: {driver_opts: {type: none, o: bind, device: ./data}}
    """
    buoy.write("compose.yaml", text)
    buoy.write("data/kept", "kept")
    buoy.run("up", "-d", "--wait")
    script = "until test -e /v/new; do sleep 0.02; done; cat /v/kept"
    assert buoy.run("exec", "-T", "app", "sh", "-c", script).stdout == "kept"
    buoy.run("down", "-v")
    assert sorted(path.name for path in (buoy.directory / "data").iterdir()) == ["kept", "new"]


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ("{typ: none}", "3:26: volumes.v.driver_opts.typ"),
        ("{o: bind, type: none}", "there is no `device`"),
        ("{type: none, device: /x, size: 1g}", "not built yet"),
        ("{type: none, o: bind, device: /nowhere/at/all}", "No such file"),
    ],
)
def test_a_volume_that_cannot_be_is_told_with_its_place(
    buoy: Buoy, options: str, what: str
) -> None:
    text = "services: {app: {image: busybox, volumes: ['v:/v']}}\nvolumes:\n"
    buoy.write("compose.yaml", f"{text}  v: {{driver_opts: {options}}}\n")
    done = buoy.run("up", "-d", check=False)
    assert done.exit_code != 0
    assert what in done.stderr
    assert "compose.yaml:" in done.stderr
