"""What a container costs by way of an OCI runtime: `python -m tests.bench.oci`, as root.

Each verb as podman starts it, ours and runc's in turns: milliseconds of wall clock and of CPU, of
the command alone. Needs runc.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from engine.oci.spec import example
from tests.images import busybox_rootfs

ROUNDS = 20
VERBS = (
    ("create", ("create", "--bundle", "{bundle}", "{id}")),
    ("state", ("state", "{id}")),
    ("start", ("start", "{id}")),
    ("exec", ("exec", "{id}", "true")),
    ("kill", ("kill", "{id}", "KILL")),
    ("delete", ("delete", "--force", "{id}")),
)


def main() -> int:
    ours = Path(sys.executable).with_name("buoy-oci")
    runc = shutil.which("runc")
    if runc is None or not ours.exists():
        print("needs runc and buoy-oci: apt-get install runc; pip install -e .")
        return 1
    with tempfile.TemporaryDirectory(dir="/var/tmp") as directory:
        bundle = make_bundle(Path(directory))
        taken = {
            name: Party(command, Path(directory, name), bundle)
            for name, command in (("buoy-oci", str(ours)), ("runc", runc))
        }
        for number in range(ROUNDS + 1):  # the first of each is not counted
            for party in taken.values():
                party.take(f"bench{number}", counted=number > 0)
    print_table(taken["buoy-oci"], taken["runc"])
    return 0


class Party:
    """One runtime, and what its verbs took: (wall, CPU) in milliseconds."""

    def __init__(self, command: str, root: Path, bundle: Path) -> None:
        self._command, self._root, self._bundle = command, root, bundle
        self.taken: dict[str, list[tuple[float, float]]] = {verb: [] for verb, _ in VERBS}

    def take(self, container_id: str, *, counted: bool) -> None:
        for verb, words in VERBS:
            given = [word.format(bundle=self._bundle, id=container_id) for word in words]
            taken = timed([self._command, "--root", str(self._root), *given])
            if counted:
                self.taken[verb].append(taken)

    def median(self, verb: str) -> tuple[float, float]:
        wall, cpu = zip(*self.taken[verb], strict=True)
        return statistics.median(wall), statistics.median(cpu)


def make_bundle(directory: Path) -> Path:
    """A busybox that sleeps."""
    (directory / "rootfs").mkdir()
    subprocess.run(["tar", "-xpf", busybox_rootfs(), "-C", directory / "rootfs"], check=True)
    config = example()
    config["process"] |= {"terminal": False, "args": ["sleep", "1000"]}
    (directory / "config.json").write_text(json.dumps(config))
    return directory


def timed(command: list[str]) -> tuple[float, float]:
    before, begun = cpu_s(), time.perf_counter()
    subprocess.run(
        command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, env=environment()
    )
    return (time.perf_counter() - begun) * 1e3, (cpu_s() - before) * 1e3


def environment() -> dict[str, str]:
    """Byte code is kept, as it is where one is installed."""
    return {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}


def cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def print_table(ours: Party, runc: Party) -> None:
    print(f"median of {ROUNDS}, ms     buoy-oci (CPU)        runc (CPU)")
    for verb, _ in VERBS:
        own, other = ours.median(verb), runc.median(verb)
        print(f"{verb:12} {own[0]:18.1f} ({own[1]:5.1f}) {other[0]:12.1f} ({other[1]:5.1f})")


if __name__ == "__main__":
    sys.exit(main())
