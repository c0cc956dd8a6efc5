"""The way of output: from a container's pipe to its log, and from there to `logs -f` and `logs`.

    python -m tests.bench.logs [MEGABYTES] [--alone]

A container writes lines of 100 bytes as fast as it can (1000 MB by default) while `logs -f`
follows, with files of 10 MB that are all kept. What is followed, and what `logs` shows afterwards,
is compared byte by byte: is each line there, in order, once? Per party and driver: MB/s at which
the container could write, until the follower had all, and of `logs` afterwards; CPU seconds per GB
of the engine's processes (Buoy: the monitor; Docker: dockerd, containerd and its shim).
"""

from __future__ import annotations

import argparse
import contextlib
import subprocess
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.bench.parties import Party, buoy, docker

if TYPE_CHECKING:
    from collections.abc import Callable

MB = 1_000_000
LINE_BYTES = 100
BLOCK_LINES = 100_000  # in the file that is written over and over: 10 MB
POLL_S = 0.1
TICKS_PER_S = 100
DOCKERS = ("dockerd", "containerd", "containerd-shim")


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """Seconds from the start of the container."""

    written_s: float
    followed_s: float
    read_s: float
    cpu_s: float
    whole: bool  # what was followed was each line in order, once


def main(megabytes: int, *, alone: bool) -> None:
    """Measure and print."""
    print(f"{megabytes} MB of lines\n{'':24}{'written':>12}{'followed':>12}{'logs':>12}{'CPU':>12}")
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(dir="/var/tmp")))
        (directory / "lines").write_bytes(lines())
        ours, _ = stack.enter_context(buoy())
        for driver in ("", "json-file", "local"):
            show(ours, driver, measure(ours, driver, directory, megabytes), megabytes)
        if not alone:
            theirs, _ = stack.enter_context(docker())
            for driver in ("json-file", "local"):
                show(theirs, driver, measure(theirs, driver, directory, megabytes), megabytes)


def lines() -> bytes:
    """Numbered lines of 100 bytes."""
    filling = b"x" * (LINE_BYTES - 12)
    return b"".join(b"%010d %s\n" % (number, filling) for number in range(BLOCK_LINES))


def show(party: Party, driver: str, result: Result, megabytes: int) -> None:
    """One row: MB/s, and CPU seconds per GB."""
    speeds = (result.written_s, result.followed_s, result.read_s)
    cells = "".join(f"{megabytes / took_s:>7.0f} MB/s" for took_s in speeds)
    title = f"{party.name} {driver or 'default'}"
    cells += f"{result.cpu_s * 1000 / megabytes:>7.2f} s/GB"
    print(f"{title:24}{cells}{'' if result.whole else '  following, lines were lost'}", flush=True)


def measure(party: Party, driver: str, directory: Path, megabytes: int) -> Result:
    """One container from start to end. Raises AssertionError where a line is not as written."""
    times = megabytes * MB // (BLOCK_LINES * LINE_BYTES)
    project = directory / f"{party.name}-{driver}".replace(" ", "-").replace(".", "-")
    write_project(project, driver, directory / "lines", times)
    name = f"{project.name}-writer-1"
    party.run(project, "create")
    cpu = Cpu(lambda: cpu_s_of(name) if party.name == "buoy" else sum(map(cpu_s_of, DOCKERS)))
    with cpu:
        began_s = time.monotonic()
        party.run(project, "start")
        with ThreadPoolExecutor() as pool:
            followed = pool.submit(is_whole, party, project, times, "-f")
            written_s = until_ended(party, project) - began_s
            whole = followed.result()
        followed_s = time.monotonic() - began_s
    began_s = time.monotonic()
    assert is_whole(party, project, times), "lines were lost"
    read_s = time.monotonic() - began_s
    party.run(project, "down", "-t", "0")
    return Result(
        written_s=written_s,
        followed_s=followed_s,
        read_s=read_s,
        cpu_s=cpu.used_s,
        whole=whole,
    )


def write_project(project: Path, driver: str, source: Path, times: int) -> None:
    """A service that writes a file to its output, `times` times over."""
    project.mkdir()
    (project / "compose.yaml").write_text(
        f"""
services:
  writer:
    image: busybox:latest
    command: sh -c 'sleep 1; for i in $$(seq {times}); do cat /lines; done'
    volumes: ["{source}:/lines:ro"]
    logging:
      {f"driver: {driver}" if driver else ""}
      options: {{max-size: 10m, max-file: "{4 * times}"}}
"""
    )


def is_whole(party: Party, project: Path, times: int, *options: str) -> bool:
    """Whether `logs` shows what was written; read to its end."""
    command = [party.command, "logs", "--no-log-prefix", "--no-color", *options]
    expected = lines()
    with subprocess.Popen(
        command, cwd=project, env=party.environment, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        found = 0
        while (block := process.stdout.read(len(expected))) == expected:
            found += 1
        while block:
            block = process.stdout.read(len(expected))
    return found == times


def until_ended(party: Party, project: Path) -> float:
    """When its container had ended."""
    asked = [party.command, "ps", "-q"]
    while subprocess.run(
        asked, cwd=project, env=party.environment, check=True, capture_output=True
    ).stdout:
        time.sleep(POLL_S)
    return time.monotonic()


class Cpu:
    """CPU seconds that processes use within a with-block; they may be gone at its end."""

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s, self._done = now_s, threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self.used_s = 0.0

    def __enter__(self) -> None:
        self._before_s = self._now_s()
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._done.wait(POLL_S):
            self.used_s = max(self.used_s, self._now_s() - self._before_s)


def cpu_s_of(name: str) -> float:
    """CPU seconds of all processes whose name begins so, with those of their dead children."""
    ticks = 0
    for directory in Path("/proc").iterdir():
        if directory.name.isdecimal():
            with contextlib.suppress(OSError):
                command, _, rest = (directory / "stat").read_text().rpartition(")")
                if command.partition("(")[2].removeprefix("buoy:") == name[:10] or (
                    command.partition("(")[2] == name[:15]
                ):
                    ticks += sum(map(int, rest.split()[11:15]))
    return ticks / TICKS_PER_S


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m tests.bench.logs")
    parser.add_argument("megabytes", type=int, nargs="?", default=1000)
    parser.add_argument("--alone", action="store_true", help="without Docker beside it")
    given = parser.parse_args()
    main(given.megabytes, alone=given.alone)
