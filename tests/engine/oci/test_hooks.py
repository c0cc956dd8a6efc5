"""The six moments: their order, where each runs, what it is told, and what its failure does."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.marks import needs_root

if TYPE_CHECKING:
    from pathlib import Path

    from tests.engine.oci.runtime import Runtime

pytestmark = needs_root

IN_RUNTIME = ("prestart", "createRuntime", "poststart", "poststop")
IN_CONTAINER = ("createContainer", "startContainer")


def hook(moment: str, target: str) -> dict[str, Any]:
    """Appends the moment, and the state it is told, to files beside `target`."""
    line = f'echo "{moment} $GIVEN $(readlink /proc/self/ns/mnt)" >> {target}'
    script = f"{line}; cat >> {target}.{moment}"
    return {"path": "/bin/sh", "args": ["sh", "-c", script], "env": ["GIVEN=x", "PATH=/bin"]}


@pytest.fixture
def told(oci: Runtime) -> Path:
    """Where hooks write; the same path leads there from inside."""
    directory = oci.root.parent / "told"
    directory.mkdir()
    return directory / "log"


def with_hooks(oci: Runtime, told: Path, script: str) -> dict[str, Any]:
    config = oci.sh(script)
    place = str(told.parent)
    config["mounts"].append(
        {"destination": "/told", "type": "bind", "source": place, "options": ["bind"]}
    )
    hooks = {moment: [hook(moment, str(told))] for moment in (*IN_RUNTIME, "createContainer")}
    hooks["startContainer"] = [hook("startContainer", "/told/log")]
    return config | {"hooks": hooks}


def test_each_at_its_moment_in_its_namespace(oci: Runtime, told: Path) -> None:
    config = with_hooks(oci, told, "echo program x $(readlink /proc/self/ns/mnt) >> /told/log")
    assert oci.run(config).code == 0
    rows = [line.split() for line in told.read_text().splitlines()]
    order = [row[0] for row in rows]
    created, started = order[:4], order[4:]
    assert created == ["prestart", "createRuntime", "createContainer", "startContainer"]
    assert sorted(started) == ["poststart", "poststop", "program"]
    assert started[-1] == "poststop"
    assert {row[1] for row in rows} == {"x"}
    namespaces = {row[0]: row[2] for row in rows}
    inside, outside = namespaces["program"], namespaces["prestart"]
    assert inside != outside
    assert {namespaces[moment] for moment in IN_CONTAINER} == {inside}
    assert {namespaces[moment] for moment in IN_RUNTIME} == {outside}


def test_each_is_told_the_state(oci: Runtime, told: Path) -> None:
    config = with_hooks(oci, told, "sleep 1000") | {"annotations": {"a": "b"}}
    name = oci.start(config)
    pid = oci.state(name)["pid"]
    oci.ok("delete", "--force", name)
    states = {
        moment: json.loads(told.with_name(f"log.{moment}").read_text())
        for moment in (*IN_RUNTIME, *IN_CONTAINER)
    }
    assert {moment: state["status"] for moment, state in states.items()} == {
        "prestart": "creating",
        "createRuntime": "creating",
        "createContainer": "creating",
        "startContainer": "created",
        "poststart": "running",
        "poststop": "stopped",
    }
    assert {state["id"] for state in states.values()} == {name}
    assert {state["annotations"]["a"] for state in states.values()} == {"b"}
    pids = [states[moment]["pid"] for moment in ("prestart", "poststart", *IN_CONTAINER)]
    assert pids == [pid, pid, 1, 1]


@pytest.mark.parametrize("moment", ["prestart", "createRuntime", "createContainer"])
def test_a_failure_while_creating_leaves_no_container(oci: Runtime, moment: str) -> None:
    config = oci.config("true")
    failing = {"path": "/bin/sh", "args": ["sh", "-c", "echo no good >&2; exit 3"]}
    config["hooks"] = {moment: [failing]}
    done = oci("create", "--bundle", str(oci.bundle(config)), oci.new_id())
    assert done.code == 1
    assert f"error running {moment} hook #0" in done.stderr
    assert "exit status 3" in done.stderr
    assert "no good" in done.stderr
    assert oci("state", oci.ids[-1]).code == 1


@pytest.mark.parametrize("moment", ["startContainer", "poststart"])
def test_a_failure_while_starting_ends_the_container(oci: Runtime, moment: str) -> None:
    config = oci.config("sleep", "1000")
    config["hooks"] = {moment: [{"path": "/bin/false"}]}
    name = oci.create(config)
    done = oci("start", name)
    assert (done.code, f"error running {moment} hook #0" in done.stderr) == (1, True)
    oci.wait(name)
    assert oci.state(name)["status"] == "stopped"


def test_a_failure_afterwards_is_a_warning(oci: Runtime, told: Path) -> None:
    config = oci.config("true")
    config["hooks"] = {"poststop": [{"path": "/nowhere/at/all"}, hook("poststop", str(told))]}
    done = oci.run(config)
    assert done.code == 0
    assert "level=warning" in done.stderr
    assert "/nowhere/at/all" in done.stderr
    assert told.read_text().startswith("poststop")


def test_a_hook_has_so_much_time_and_no_more(oci: Runtime) -> None:
    config = oci.config("true")
    config["hooks"] = {
        "createRuntime": [{"path": "/bin/sleep", "args": ["sleep", "1000"], "timeout": 1}]
    }
    done = oci("create", "--bundle", str(oci.bundle(config)), oci.new_id())
    assert (done.code, "ran past the timeout of 1s" in done.stderr) == (1, True)


def test_a_hook_ignores_no_signal(oci: Runtime, told: Path) -> None:
    config = oci.config("true")
    script = f"grep -E 'Sig(Ign|Blk)' /proc/self/status >> {told}"
    described = {"path": "/bin/sh", "args": ["sh", "-c", script], "env": ["PATH=/bin"]}
    config["hooks"] = {moment: [described] for moment in IN_RUNTIME}
    assert oci.run(config).code == 0
    masks = [int(line.split()[1], 16) for line in told.read_text().splitlines()]
    assert masks == [0] * 2 * len(IN_RUNTIME)


def test_a_mount_of_a_hook_is_seen_inside(oci: Runtime) -> None:
    """What CDI and NVIDIA hooks do: createContainer may still change the namespace."""
    config = oci.config("cat", "/tmp/made")
    made = oci.root.parent / "made"
    made.write_text("by a hook")
    target = f"{oci.rootfs}/tmp"
    script = f"mount -t tmpfs none {target} && cp {made} {target}/made"
    config["hooks"] = {
        "createContainer": [
            {"path": "/bin/sh", "args": ["sh", "-c", script], "env": ["PATH=/bin:/usr/bin"]}
        ]
    }
    done = oci.run(config)
    assert (done.code, done.stdout) == (0, "by a hook"), done
    assert list((oci.rootfs / "tmp").iterdir()) == []
