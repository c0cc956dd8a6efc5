"""Who is measured, and with what: Buoy on roots of its own beside Docker's two composes."""

from __future__ import annotations

import contextlib
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from engine.state.paths import Roots
from tests import leaks
from tests.bench.docker_peer import docker_peer
from tests.images import busybox_archive, cache_directory

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """One command that runs Compose projects."""

    name: str
    command: str
    environment: Mapping[str, str]

    def run(self, directory: Path, *args: str) -> float:
        """Seconds that `COMMAND ARGS...` took. Raises RuntimeError with what it said."""
        began_s = time.perf_counter()
        done = subprocess.run(
            [self.command, *args],
            cwd=directory,
            env=self.environment,
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        took_s = time.perf_counter() - began_s
        if done.returncode != 0:
            raise RuntimeError(f"{self.name} {' '.join(args)}: {done.returncode}\n{done.stderr}")
        return took_s


@contextlib.contextmanager
def buoy() -> Iterator[tuple[Party, Roots]]:
    """Buoy with the busybox image, on roots that go away."""
    directory = Path(tempfile.mkdtemp(prefix="b-", dir="/var/tmp"))
    roots = Roots(f"{directory}/root", f"{directory}/run")
    environment = {**os.environ, "BUOY_ROOT": roots.root, "BUOY_RUN_ROOT": roots.run_root}
    command = str(Path(sys.executable).with_name("buoy"))
    party = Party(name="buoy", command=command, environment=environment)
    try:
        party.run(directory, "image", "load", "--input", str(busybox_archive()))
        yield party, roots
    finally:
        leaks.put_away(roots, set())
        shutil.rmtree(directory)


@contextlib.contextmanager
def docker() -> Iterator[tuple[Party, Party]]:
    """docker compose 2.40 and docker-compose 1.29 on one Docker engine."""
    with docker_peer(cache_directory().parent / "peer") as peer:
        new, old = "docker-compose-2", "docker-compose-1"
        yield (
            Party(name="compose 2.40", command=new, environment=peer.environment),
            Party(name="compose 1.29", command=old, environment=peer.environment),
        )


def write_project(directory: Path, services: int) -> None:
    """A project of `services` services that only sleep."""
    lines = [
        f"  s{number}:\n    image: busybox:latest\n    command: sleep 1000000\n"
        for number in range(1, services + 1)
    ]
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "compose.yaml").write_text("services:\n" + "".join(lines))


def print_table(title: str, parties: Sequence[str], rows: Mapping[str, Sequence[float]]) -> None:
    """Rows of one figure per party; the first party's, and how many times it the others' are."""
    print(f"\n{title}")
    print(f"{'':32}" + "".join(f"{name:>22}" for name in parties))
    for what, values in rows.items():
        first, *others = values
        ratios = [f"({value / first:4.1f}x)" if first else "" for value in others]
        shown = [f"{value:>14,.0f} {ratio:>7}" for value, ratio in zip(others, ratios, strict=True)]
        cells = [f"{first:>22,.0f}", *shown]
        print(f"{what:32}" + "".join(cells))


def median_ms(times_s: Sequence[float]) -> float:
    """The median of seconds, in milliseconds."""
    return statistics.median(times_s) * 1000
