"""Images moved in and out, beside dockerd: time and memory, both in one run.

    python -m tests.bench.images [REPETITIONS] [--below DIRECTORY]

A 170 MB image of one layer and a 580 MB image of three are loaded, saved, exported, pushed to an
empty Debian `docker-registry` on this machine, removed, and pulled from another one. Medians of 5
of the time it took, the time of the processors that went into it, and memory: the largest sum of
the PSS of all processes of a party, the command and its children here, the client, dockerd and
containerd there, of which the last two are there always.

Both keep their images below DIRECTORY, a tmpfs by default: ext4 does not reuse an inode for some
time after its removal, and takes up to ten times as long to make a file while it looks for others
(recently_deleted() in fs/ext4/ialloc.c), so that what is measured on it is what was removed before.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import resource
import statistics
import sys
import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from engine.state.paths import Roots
from tests import leaks
from tests.bench.image_files import archives
from tests.bench.memory import pss_kib
from tests.bench.parties import Party
from tests.bench.registry_peer import docker_registry
from tests.peer import docker_peer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tests.bench.registry_peer import DockerRegistry

SAMPLE_S = 0.03


@dataclass(frozen=True, kw_only=True)
class Image:
    """One that is moved. `pulled` is its name in the registry, `pushed` in another one."""

    size: str
    name: str
    archive: Path
    pulled: str
    pushed: str
    output: Path


@dataclass(frozen=True)
class Bench:
    """One party, and what was measured of it: by what was done, (seconds, of processors, MiB).

    resident  its processes that are there always
    pids      all of them now
    """

    party: Party
    resident: set[int]
    pids: Callable[[], set[int]]
    found: dict[str, list[tuple[float, float, float]]] = field(default_factory=dict)

    def run(self, what: str, *args: str) -> None:
        """A command, measured."""
        before_s = self._processors_s()
        with peak_kib(self.pids) as peak:
            took_s = self.party.run(Path("/"), *args)
        row = took_s, self._processors_s() - before_s, max(peak) / 1024
        self.found.setdefault(what, []).append(row)

    def _processors_s(self) -> float:
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime + sum(map(_used_s, self.resident))


@contextlib.contextmanager
def peak_kib(pids: Callable[[], set[int]]) -> Iterator[list[int]]:
    """Sums of the PSS of some processes, taken again and again."""
    found = [0]
    ended = threading.Event()

    def sample() -> None:
        while not ended.wait(SAMPLE_S):
            found.append(sum(map(_pss_kib, pids())))

    thread = threading.Thread(target=sample)
    thread.start()
    try:
        yield found
    finally:
        ended.set()
        thread.join()


def _pss_kib(pid: int) -> int:
    with contextlib.suppress(OSError):  # it has just ended
        return pss_kib(pid)
    return 0


def _used_s(pid: int) -> float:
    """Processor time of a process and of its children that have ended (proc(5), /proc/pid/stat)."""
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, words[11:15])) / os.sysconf("SC_CLK_TCK")


def descendants(top: int) -> set[int]:
    """The processes below one."""
    found: set[int] = set()
    asked = [top]
    while asked:
        with contextlib.suppress(OSError):
            for task in Path(f"/proc/{asked.pop()}/task").iterdir():
                children = [int(word) for word in (task / "children").read_text().split()]
                asked += children
                found.update(children)
    return found


def measure(ours: Bench, theirs: Bench, image: Image, empty: DockerRegistry) -> None:
    """One round of everything, one party after the other; what is pushed to is `empty` before."""
    archive, output = str(image.archive), str(image.output)
    calls = {
        "load": (("image", "load", "-q", "-i", archive), ("load", "-q", "-i", archive)),
        "save": (("image", "save", "-o", output, image.name), ("save", "-o", output, image.name)),
        "export": (("image", "export", "-o", output, image.name), ("export", "-o", output, "it")),
        "tag": (("image", "tag", image.name, image.pushed), ("tag", image.name, image.pushed)),
        "push": (("image", "push", "-q", image.pushed), ("push", "-q", image.pushed)),
        "remove": (("image", "rm", image.name, image.pushed), ("rmi", image.name, image.pushed)),
        "pull": (("image", "pull", "-q", image.pulled), ("pull", "-q", image.pulled)),
        "remove pulled": (("image", "rm", image.pulled), ("rmi", image.pulled)),
    }
    for what, (our_call, their_call) in calls.items():
        if what == "export":
            theirs.party.run(Path("/"), "create", "--name", "it", "--network", "none", image.name)
        for bench, call in ((ours, our_call), (theirs, their_call)):
            if what == "push":
                empty.clear()
            bench.run(f"{image.size} {what}", *call)
        if what == "export":
            theirs.party.run(Path("/"), "rm", "it")


def show(benches: Sequence[Bench]) -> None:
    """Medians of both, and the second's as multiples of the first's."""
    print(f"{'':22}" + "".join(f"{bench.party.name:>26}" for bench in benches))
    for what in benches[0].found:
        found = [[statistics.median(c) for c in zip(*b.found[what])] for b in benches]  # noqa: B905
        cells = "".join("{:>8.2f} s {:>5.2f} s {:>4.0f} MiB".format(*row) for row in found)
        ratios = "".join(f"{theirs / ours:>6.1f}x" for ours, theirs in zip(*found, strict=True))
        print(f"{what:22}{cells}{ratios}")


def ready(registry: DockerRegistry, empty: DockerRegistry, name: str, archive: Path) -> Image:
    """An image, put where it is pulled from."""
    return Image(
        size=name.partition("/")[2].partition(":")[0],
        name=name,
        archive=archive,
        pulled=registry.push(archive, name),
        pushed=f"{empty.host}/{name}",
        output=registry.directory / "output.tar",
    )


@contextlib.contextmanager
def buoy(directory: Path) -> Iterator[Party]:
    """Buoy on roots of its own."""
    roots = Roots(f"{directory}/root", f"{directory}/run")
    environment = {**os.environ, "BUOY_ROOT": roots.root, "BUOY_RUN_ROOT": roots.run_root}
    command = str(Path(sys.executable).with_name("buoy"))
    try:
        yield Party(name="buoy", command=command, environment=environment)
    finally:
        leaks.put_away(roots, set())


def main(argv: Sequence[str]) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m tests.bench.images")
    parser.add_argument("repetitions", nargs="?", type=int, default=5)
    parser.add_argument("--below", default="/dev/shm")
    args = parser.parse_args(argv)
    with contextlib.ExitStack() as stack:
        temporary = tempfile.TemporaryDirectory(prefix="b-", dir=args.below)
        directory = Path(stack.enter_context(temporary))
        (directory / "empty").mkdir()
        registry = stack.enter_context(docker_registry(directory))
        empty = stack.enter_context(docker_registry(directory / "empty"))
        images = [ready(registry, empty, *item) for item in archives().items()]
        party = stack.enter_context(buoy(directory))
        peer = stack.enter_context(docker_peer(args.below))
        docker = Party(name="dockerd", command="docker", environment=peer.environment)
        always = descendants(os.getpid())
        ours = Bench(party, set(), lambda: descendants(os.getpid()) - always)
        registries = {registry.pid, empty.pid}
        theirs = Bench(docker, always - registries, lambda: descendants(os.getpid()) - registries)
        for _ in range(args.repetitions):
            for image in images:
                measure(ours, theirs, image, empty)
        show([ours, theirs])


if __name__ == "__main__":
    main(sys.argv[1:])
