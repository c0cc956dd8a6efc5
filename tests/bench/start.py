"""What a container costs: its start, by itself and beside others, and what many starts leave.

    python -m tests.bench.start [CONTAINERS]

1. Start to exec inside the engine, CONTAINERS of them (200) one after the other: the time that
   `Containers.start` takes with a stage that runs, with a network and without one.
2. 100 started at once.
3. 500 started, stopped and removed one after the other: what the stage and the machine have more of
   afterwards. Nothing is what there ought to be.
4. Whole commands: `docker run`, `runc run`, and `buoy oci run` of the bundle that runc has.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from engine import ContainerSpec, EndpointSpec, Engine, NetworkSpec
from engine.containers.statefile import lock_holder
from tests import leaks
from tests.bench.parties import Party, buoy, docker, median_ms, print_table
from tests.images import REFERENCE, busybox_rootfs

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from engine import Container

AT_ONCE, IN_TURN, COMMANDS = 100, 500, 20
NETWORK = "bench"


def main(count: int) -> None:
    """Measure and print."""
    with buoy() as (party, roots):
        engine = Engine(roots)
        with asyncio.Runner() as runner:
            runner.run(measure(engine, count))
            engine.close()
        whole_commands(party)


async def measure(engine: Engine, count: int) -> None:
    """1 to 3."""
    engine.networks.create(NetworkSpec(name=NETWORK))
    bench = Bench(engine)
    await bench.remove(await bench.start(5, network=True))  # warm
    for network in (True, False):
        times_s, running = await bench.time(count, network=network)
        show(f"start, {'with' if network else 'without'} a network", times_s)
        await bench.remove(running)
    began_s = time.perf_counter()
    running = await asyncio.gather(*(bench.start_one(network=True) for _ in range(AT_ONCE)))
    took_s = time.perf_counter() - began_s
    print(f"{AT_ONCE} at once: {took_s:.2f} s, {took_s * 1000 / AT_ONCE:.1f} ms each")
    print(f"private memory of a monitor: {statistics.median(map(bench.private_kib, running))} KiB")
    await bench.remove(running)
    before = bench.found()
    for _ in range(IN_TURN):
        await bench.remove([await bench.start_one(network=True)])
    after = bench.found()
    print(
        f"after {IN_TURN} in turn: " + ", ".join(f"{k} {before[k]} -> {after[k]}" for k in before)
    )
    engine.networks.remove(NETWORK)


class Bench:
    """Containers that sleep."""

    def __init__(self, engine: Engine) -> None:
        self._engine, self._containers = engine, engine.containers
        self._image = engine.images.get(REFERENCE).id
        self._number = 0

    def create(self, *, network: bool) -> Container:
        """A container that is not running yet."""
        self._number += 1
        return self._containers.create(
            ContainerSpec(
                name=f"c{self._number}",
                image=self._image,
                command=("sleep", "1000000"),
                network="networks" if network else "none",
                endpoints=(EndpointSpec(network=NETWORK),) if network else (),
            )
        )

    async def start_one(self, *, network: bool) -> Container:
        """One that runs."""
        return await self._containers.start(self.create(network=network).id)

    async def start(self, count: int, *, network: bool) -> list[Container]:
        """Several, one after the other."""
        return [await self.start_one(network=network) for _ in range(count)]

    async def time(self, count: int, *, network: bool) -> tuple[list[float], list[Container]]:
        """Seconds that each start took, and what runs then."""
        created = [self.create(network=network) for _ in range(count)]
        times_s = []
        for container in created:
            began_s = time.perf_counter()
            await self._containers.start(container.id)
            times_s.append(time.perf_counter() - began_s)
        return times_s, created

    async def remove(self, containers: Iterable[Container]) -> None:
        """Stop and remove."""
        for container in containers:
            await self._containers.stop(container.id, grace_s=0)
            self._containers.remove(container.id)

    def private_kib(self, container: Container) -> int:
        """Of a container's monitor."""
        monitor = lock_holder(self._engine.roots.container_run(container.id))
        return private_kib(monitor) if monitor else 0

    def found(self) -> dict[str, int]:
        """What could grow."""
        stage, roots = self._containers.stage.pid, self._engine.roots
        return {
            "descriptors of the stage": len(list(Path(f"/proc/{stage}/fd").iterdir())),
            "its private KiB": private_kib(stage),
            "our own descriptors": len(list(Path("/proc/self/fd").iterdir())),
            "processes": len(leaks.processes_of(roots)),
            "mounts": len(leaks.mounts_under(roots)),
            "cgroups": len(leaks.cgroups_named(roots.kernel_name)),
        }


def private_kib(pid: int) -> int:
    """Source: kernel Documentation/filesystems/proc.rst, smaps_rollup."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_"))


def show(what: str, times_s: Sequence[float]) -> None:
    """Median and 95th percentile, and the least, which a busy machine says most of."""
    p95_s, least_s = statistics.quantiles(times_s, n=20)[-1], min(times_s)
    print(
        f"{what}: median {median_ms(times_s):.1f} ms, p95 {p95_s * 1000:.1f} ms,"
        f" least {least_s * 1000:.1f} ms"
    )


def whole_commands(party: Party) -> None:
    """4."""
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(dir="/var/tmp")))
        make_bundle(directory)
        peer, _ = stack.enter_context(docker())
        docker_party = Party(name="docker", command="docker", environment=peer.environment)
        runc = Party(name="runc", command="runc", environment=peer.environment)
        calls = {
            "buoy oci run": (party, ("oci", "run", "bench")),
            "runc run": (runc, ("run", "bench")),
            "docker run --rm": (docker_party, ("run", "--rm", "busybox", "true")),
        }
        times_s: dict[str, list[float]] = {name: [] for name in calls}
        for _ in range(COMMANDS):
            for name, (who, args) in calls.items():
                times_s[name].append(who.run(directory, *args))
    rows = {"one that ends at once": [median_ms(times) for times in times_s.values()]}
    print_table(f"Whole commands, median of {COMMANDS}, milliseconds", list(calls), rows)


def make_bundle(directory: Path) -> None:
    """As `runc spec` makes it, of busybox, for `true`."""
    (directory / "rootfs").mkdir()
    unpack = ["tar", "--numeric-owner", "-xpf", str(busybox_rootfs()), "-C", "rootfs"]
    subprocess.run(unpack, cwd=directory, check=True)
    subprocess.run(["runc", "spec"], cwd=directory, check=True)
    path = directory / "config.json"
    config = json.loads(path.read_text())
    config["process"] |= {"terminal": False, "args": ["true"]}
    path.write_text(json.dumps(config))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
