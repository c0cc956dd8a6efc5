"""`buoy builder`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.marks import needs_root

if TYPE_CHECKING:
    from engine.images.image import Image
    from tests.scenarios.conftest import Buoy

pytestmark = needs_root


def test_the_build_cache_is_looked_at_and_pruned(buoy: Buoy, busybox: Image) -> None:
    buoy.write("Dockerfile", "FROM busybox\nCOPY f /\n")
    buoy.write("f", "12345")
    buoy.write("compose.yaml", "services: {web: {build: .}}")
    buoy.run("build", "-q")
    (line,) = buoy.run("builder", "du", "--format", "json").lines
    found = json.loads(line)
    assert (found["description"], found["size_bytes"], found["shared"]) == ("COPY f /", 5, True)
    titles, row, *totals = buoy.run("builder", "du").lines
    assert titles.split()[:3] == ["ID", "TYPE", "SIZE"]
    assert row.split()[:3] == [found["id"].removeprefix("sha256:")[:12], "regular", "5B"]
    assert totals == ["Shared with images:\t5B", "Reclaimable:\t0B", "Total:\t5B"]
    assert buoy.run("builder", "prune", input="n\n", check=False).exit_code == 1
    assert buoy.run("builder", "prune", input="y\n").lines == ["Total reclaimed space: 0B"]
    buoy.run("image", "rm", "app-web")
    assert buoy.run("builder", "prune", "--filter", "until=1h", "-f").lines[-1].endswith(" 0B")
    gone = buoy.run("builder", "prune", "-f").lines
    assert gone[1:] == [found["id"].removeprefix("sha256:"), "", "Total reclaimed space: 5B"]
    assert buoy.run("builder", "prune", "--filter", "age=1", "-f", check=False).exit_code != 0
