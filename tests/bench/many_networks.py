"""Many networks and containers: `python -m tests.bench.many_networks [N CONTAINERS]`, as root.

A project of 200 networks and 300 containers, each container on two networks and every third one
with a published port, on a host of its own: the seconds of each command, and what is left of it
afterwards. Then 30 networks and 30 containers beside Docker, and how many networks each has room
for.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.bench.parties import print_table
from tests.engine.network.world import private_host
from tests.reachability.parties import dockers, ours

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.reachability.scene import Party

NETWORKS, CONTAINERS = 200, 300
SMALL = 30  # Docker's pools have 30 besides that of its default network
COMMANDS = (("up", "-d"), ("up", "-d"), ("ps",), ("down", "-t", "0"))


def main(networks: int, containers: int) -> None:
    """Measure and print."""
    with private_host():
        before = found()
        with ours() as party, tempfile.TemporaryDirectory() as directory:
            file = write_project(Path(directory), networks, containers)
            took = timed(party, file)
            after = found()
        print(f"{networks} networks, {containers} containers, seconds: {shown(took)}")
        print("left: " + (", ".join(f"{k} {after[k] - n}" for k, n in before.items())))
    rows: dict[str, list[float]] = {}
    for other in (ours, dockers):
        with private_host(), other() as party, tempfile.TemporaryDirectory() as directory:
            for what, took_s in timed(party, write_project(Path(directory), SMALL, SMALL)).items():
                rows.setdefault(what, []).append(took_s * 1000)
            print(f"{other.__name__}: {room(party, Path(directory))}")
    print_table(f"{SMALL} networks, {SMALL} containers, milliseconds", ("buoy", "docker"), rows)


def write_project(directory: Path, networks: int, containers: int) -> Path:
    """Each container is on two networks; `directory` may hold one already."""
    lines = ["name: many", "services:"]
    for number in range(containers):
        first, second = number % networks, (number * 7 + 1) % networks
        on = f"[n{first}, n{second}]" if first != second else f"[n{first}]"
        lines += [f"  s{number}:", "    image: busybox", "    command: sleep 100000"]
        lines += ["    stop_grace_period: 0s", f"    networks: {on}"]
        if number % 3 == 0:
            lines.append(f'    ports: ["{20000 + number}:80"]')
    lines += ["networks:", *(f"  n{number}:" for number in range(networks))]
    file = directory / "compose.yaml"
    file.write_text("\n".join(lines) + "\n")
    return file


def timed(party: Party, file: Path) -> dict[str, float]:
    """Seconds of each command, one after the other."""
    took: dict[str, float] = {}
    for words in COMMANDS:
        name = " ".join(words)
        began_s = time.perf_counter()
        party.compose("-f", str(file), *words)
        took[f"{name} again" if name in took else name] = time.perf_counter() - began_s
    return took


def shown(took: Mapping[str, float]) -> str:
    """In one line."""
    return ", ".join(f"{name} {took_s:.2f}" for name, took_s in took.items())


def room(party: Party, directory: Path) -> str:
    """Whether a project with more networks than Docker's pools have can be brought up."""
    file = write_project(directory, SMALL + 10, 1)
    file.write_text(file.read_text().replace("[n0, n1]", str([f"n{n}" for n in range(SMALL + 10)])))
    try:
        party.compose("-f", str(file), "up", "-d")
    except RuntimeError as error:
        return str(error).splitlines()[-1]
    finally:
        party.compose("-f", str(file), "down", "-t", "0")
    return f"{SMALL + 10} networks fit"


def found() -> dict[str, int]:
    """What could be left in this network namespace."""
    counts = {
        "links": ("ip", "-o", "link"),
        "routes": ("ip", "route", "show", "table", "all"),
        "nft tables": ("nft", "list", "tables"),
    }
    rows = {what: len(_output(argv).splitlines()) for what, argv in counts.items()}
    tracked = Path("/proc/self/net/nf_conntrack")
    rows["tracked connections"] = len(tracked.read_text().splitlines()) if tracked.exists() else 0
    return rows


def _output(argv: Sequence[str]) -> str:
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    main(*(map(int, sys.argv[1:3]) if len(sys.argv) > 1 else (NETWORKS, CONTAINERS)))
