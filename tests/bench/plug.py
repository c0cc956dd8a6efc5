"""What it costs to put containers on a network: `python -m tests.bench.plug`, as root.

For the 1st, the first 10 and the first 100 containers, milliseconds each: inside the engine (claim,
link, addresses, routes, names, DNS sockets), and the whole command `network connect` on containers
that run, beside Docker's in the same run.
"""

from __future__ import annotations

import contextlib
import json
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from engine.state.paths import Roots
from tests.bench.parties import print_table
from tests.engine.network.world import World, private_host
from tests.reachability.parties import dockers, ours

if TYPE_CHECKING:
    from collections.abc import Callable

COUNTS = (1, 10, 100)
NAME = "extra"


def main() -> None:
    """Measure and print."""
    inside = _inside()
    print("inside the engine, ms each: " + ", ".join(f"{n}: {inside[n]:.1f}" for n in COUNTS))
    found = {}
    for other in (ours, dockers):
        with private_host(), other() as party, contextlib.ExitStack() as stack:
            directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            file = _write_project(directory)
            party.compose("-f", str(file), "up", "-d")
            stack.callback(party.compose, "-f", str(file), "down", "-t", "0")
            party.command("network", "create", NAME)
            stack.callback(party.command, "network", "rm", NAME)
            found[other.__name__] = _timed(
                lambda n: party.command("network", "connect", NAME, f"plug-s{n}-1")
            )
            for number in range(COUNTS[-1]):
                party.command("network", "disconnect", NAME, f"plug-s{number}-1")
    rows = {f"the first {n}": (found["ours"][n], found["dockers"][n]) for n in COUNTS}
    print_table("network connect, ms each", ("buoy", "docker"), rows)


def _inside() -> dict[int, float]:
    with tempfile.TemporaryDirectory() as directory, private_host():
        world = World(Roots(f"{directory}/root", f"{directory}/run"))
        world.network("front")
        took = _timed(lambda n: world.run(f"c{n}", "front", serve=False))
        world.close()
    return took


def _timed(plug: Callable[[int], object]) -> dict[int, float]:
    """Milliseconds each, of the first so many."""
    took: dict[int, float] = {}
    began_s = time.perf_counter()
    for number in range(COUNTS[-1]):
        plug(number)
        if number + 1 in COUNTS:
            took[number + 1] = (time.perf_counter() - began_s) * 1000 / (number + 1)
    return took


def _write_project(directory: Path) -> Path:
    one = {"image": "busybox", "command": "sleep 100000"}
    file = directory / "compose.yaml"
    services = {f"s{number}": one for number in range(COUNTS[-1])}
    file.write_text(json.dumps({"name": "plug", "services": services}))
    return file


if __name__ == "__main__":
    main()
