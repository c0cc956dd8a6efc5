"""`buoy system df` and `prune`."""

from __future__ import annotations

import json
import subprocess
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from compose.commands.context import Context
from compose.commands.system_prune import Pruning
from engine import PruneFilter, observe_disk_usage
from tests.marks import needs_root
from tests.waiting import eventually

if TYPE_CHECKING:
    from engine import Engine
    from engine.images.image import Image
    from tests.scenarios.conftest import Buoy

pytestmark = needs_root

PROJECT = """
services:
  web:
    image: busybox
    command: sh -c 'dd if=/dev/zero of=/big bs=1M count=1; sleep 1000'
    init: true
    volumes: [/data, "kept:/kept"]
  built:
    build: {dockerfile_inline: "FROM busybox\\nRUN echo x > /x"}
    command: sleep 1000
    init: true
volumes: {kept: {}}
"""


def du(buoy: Buoy) -> int:
    """Bytes below the directories that are for what users have."""
    names = ("layers", "blobs", "containers", "volumes", "cache", "tmp")
    paths = [f"{buoy.roots.root}/{name}" for name in names]
    there = [path for path in paths if Path(path).is_dir()]
    done = subprocess.run(["du", "-scB1", *there], check=True, capture_output=True, text=True)
    return int(done.stdout.splitlines()[-1].split()[0])


def df(engine: Engine) -> int:
    usage = observe_disk_usage(engine)
    total = usage.pieces.total(usage.pieces.pieces) + usage.cache_bytes + usage.leftover_bytes
    return total + sum(size for _, size in (*usage.containers, *usage.volumes))


def du_and_df_agree(buoy: Buoy, engine: Engine) -> bool:
    """What is written, or has been removed, may be on its way still."""
    slack = 4096 * 16  # the directories of the types themselves
    return df(engine) <= du(buoy) <= df(engine) + slack


def test_what_takes_space_is_shown_as_du_counts_it_and_pruned(
    buoy: Buoy, engine: Engine, busybox: Image
) -> None:
    buoy.write("compose.yaml", PROJECT)
    buoy.run("up", "-d", "--wait")
    shown = [json.loads(line) for line in buoy.run("system", "df", "--format", "json").lines]
    counts = {row["Type"]: (row["TotalCount"], row["Active"]) for row in shown}
    assert counts["Images"] == ("2", "2")
    assert counts["Local Volumes"] == ("2", "2")
    assert eventually(lambda: du_and_df_agree(buoy, engine))
    verbose = buoy.run("system", "df", "-v").stdout
    assert all(f"{kind} space usage" in verbose for kind in ("Images", "Containers"))
    assert "--format" in buoy.run("system", "df", "-v", "--format", "json", check=False).stderr

    buoy.run("down", "-t", "0")
    assert buoy.run("system", "prune", check=False, input="n\n").exit_code == 1
    done = buoy.run("system", "prune", "-af", "--volumes")
    assert f"deleted: {busybox.id}" in done.lines
    assert done.lines[-1].startswith("Total reclaimed space: ")
    assert buoy.run("image", "ls", "-q").lines == []
    assert [row.split()[-1] for row in buoy.run("volume", "ls").lines[1:]] == ["app_kept"]
    assert eventually(lambda: du_and_df_agree(buoy, engine))


def test_what_is_being_deleted_is_not_there_any_more_when_usage_is_told(
    buoy: Buoy, busybox: Image
) -> None:
    doomed = Path(buoy.roots.temporary, "gone-layer/etc")
    doomed.mkdir(parents=True)
    (doomed / "file").write_bytes(bytes(1 << 20))
    buoy.run("system", "df")
    assert eventually(lambda: not doomed.parent.exists())


def test_of_containers_only_those_that_the_filter_takes_are_pruned(
    buoy: Buoy, busybox: Image
) -> None:
    buoy.write("compose.yaml", "services: {a: {image: busybox, labels: {keep: yes}}}")
    buoy.run("create")
    assert (
        "Deleted Containers"
        not in buoy.run("system", "prune", "-f", "--filter", "label!=keep").stdout
    )
    assert (
        "Deleted Containers" not in buoy.run("system", "prune", "-f", "--filter", "until=1h").stdout
    )
    buoy.run("system", "prune", "-f", "--filter", "label=keep")
    assert buoy.run("ps", "-aq").lines == []


def test_what_has_begun_to_run_meanwhile_is_told_after_all_else_is_gone(
    buoy: Buoy, engine: Engine, busybox: Image
) -> None:
    service = "{image: busybox, command: sleep 1000, init: true, networks: []}"
    buoy.write("compose.yaml", f"services: {{other: {service}, web: {service}}}")
    buoy.run("create")
    usage = observe_disk_usage(engine)
    buoy.run("start", "other")
    roots = {"root": buoy.roots.root, "run_root": buoy.roots.run_root}
    context = Context(Namespace(**roots, ansi=None, progress=None))
    pruning = Pruning(context, PruneFilter())
    pruning.containers(usage)
    context.complete(0)
    assert [problem.code for problem in pruning.problems] == ["container-running"]
    assert [one.name for one in engine.containers.list()] == ["app-other-1"]
    buoy.run("down", "-t", "0")
