"""dnsperf inside a container, against its DNS: Buoy, dockerd, and aardvark-dns.

    python -m tests.bench.dns_peer [SECONDS]

200 names on the network, all asked for in turn. `flood`: 64 queries in flight; `one`: a query at
a time; `tcp`: 64 in flight on one connection. CPU is that of the server's process for each query.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from engine.kernel import namespaces
from tests import leaks
from tests.bench import aardvark_peer
from tests.bench.memory import named
from tests.bench.parties import buoy, docker, print_table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from engine.state.paths import Roots
    from tests.bench.parties import Party

NAMES = [f"svc{number}" for number in range(200)]
LOADS = {"flood": ["-q", "64"], "one": ["-q", "1"], "tcp": ["-q", "64", "-m", "tcp"]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What dnsperf and the kernel say of one run."""

    per_s: float
    latency_us: float
    cpu_us: float


def main() -> None:
    """Measure and print."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 3.0
    found: dict[str, dict[str, Asked]] = {}
    with tempfile.TemporaryDirectory(prefix="b-", dir="/var/tmp") as work:
        directory = Path(work)
        (directory / "queries").write_text("".join(f"{name} A\n" for name in NAMES))
        with buoy() as (ours, roots):
            found["buoy"] = in_container(ours, directory, seconds, lambda: monitor_of(roots))
        with docker() as (theirs, _):
            found["dockerd"] = in_container(
                theirs, directory, seconds, lambda: named(("dockerd",))[0]
            )
        found["aardvark-dns"] = under_aardvark(directory, seconds)
    rows = {}
    for load in LOADS:
        results = [found[party][load] for party in found]
        rows[f"{load}: queries/s"] = [one.per_s for one in results]
        rows[f"{load}: latency, us"] = [one.latency_us for one in results]
        rows[f"{load}: CPU of a query, us"] = [one.cpu_us for one in results]
    print_table(f"DNS of one container, {len(NAMES)} names", list(found), rows)


def in_container(
    party: Party, directory: Path, seconds: float, server: Callable[[], int]
) -> dict[str, Asked]:
    """dnsperf in a container of a project."""
    with project(party, directory):
        inside = [party.command, "exec", "-T", "client"]
        command = [
            *inside,
            *dnsperf(Path("/libraries"), Path("/peer"), Path("/work"), "127.0.0.11"),
        ]
        return measure(command, seconds, server(), party, directory)


@contextlib.contextmanager
def project(party: Party, directory: Path) -> Iterator[None]:
    """A service with all of the names, and one to ask for them."""
    mounts = {
        libraries(): "/libraries",
        aardvark_peer.unpacked() / "root": "/peer",
        directory: "/work",
    }
    lines = [
        "name: bench",
        "services:",
        "  names:",
        "    image: busybox:latest",
        "    command: sleep 1000000",
        f"    networks: {{lan: {{aliases: [{', '.join(NAMES)}]}}}}",
        "  client:",
        "    image: busybox:latest",
        "    command: sleep 1000000",
        "    networks: [lan]",
        f"    volumes: [{', '.join(f'{source}:{target}:ro' for source, target in mounts.items())}]",
        "networks: {lan: {}}",
    ]
    (directory / "compose.yaml").write_text("\n".join(lines) + "\n")
    party.run(directory, "up", "-d")
    try:
        yield
    finally:
        party.run(directory, "down", "-t", "0")


def under_aardvark(directory: Path, seconds: float) -> dict[str, Asked]:
    """dnsperf in a namespace beside aardvark-dns."""
    configuration = directory / "aardvark"
    configuration.mkdir()
    addresses = {name: f"10.89.1.{number}" for number, name in enumerate(NAMES, 1)}
    root = aardvark_peer.unpacked() / "root"
    command = dnsperf(libraries(), root, directory, aardvark_peer.GATEWAY)
    with (
        aardvark_peer.aardvark(configuration, addresses) as (pid, client),
        namespaces.joined_network(client),
    ):
        return measure(command, seconds, pid)


def dnsperf(libraries: Path, root: Path, work: Path, server: str) -> list[str]:
    """The command line, by where those directories are for it."""
    (own,) = (aardvark_peer.unpacked() / "root/usr/lib").glob("*-linux-gnu")
    paths = f"{libraries}:{root}/usr/lib/{own.name}"
    loader = str(libraries / loader_name())
    asked = ["-s", server, "-d", f"{work}/queries"]
    return [loader, "--library-path", paths, f"{root}/usr/bin/dnsperf", *asked]


def libraries() -> Path:
    """Where this machine's own C library is."""
    return next(Path("/usr/lib").glob("*-linux-gnu/libc.so.6")).parent


def loader_name() -> str:
    return next(libraries().glob("ld-linux*.so.*")).name


def measure(
    command: Sequence[str],
    seconds: float,
    server: int,
    party: Party | None = None,
    directory: Path | None = None,
) -> dict[str, Asked]:
    """Every load, one after the other."""
    found = {}
    for load, options in LOADS.items():
        used_s = cpu_s(server)
        words = [*command, *options, "-c", "1", "-T", "1", "-l", str(seconds)]
        environment = dict(party.environment) if party else None
        done = subprocess.run(
            words, check=True, capture_output=True, text=True, cwd=directory, env=environment
        )
        used_s = cpu_s(server) - used_s
        figures = {
            what: float(re.search(rf"{what}:\s+([\d.]+)", done.stdout)[1])  # type: ignore[index]
            for what in ("Queries completed", "Queries per second", r"Average Latency \(s\)")
        }
        completed, per_s, latency_s = figures.values()
        if "NOERROR" not in done.stdout or "NXDOMAIN" in done.stdout:
            raise RuntimeError(done.stdout)
        found[load] = Asked(
            per_s=per_s, latency_us=latency_s * 1e6, cpu_us=used_s / completed * 1e6
        )
    return found


def monitor_of(roots: Roots) -> int:
    """The monitor of the client; as much of its name as a process may have."""
    name = "buoy:bench-client-1"[:15]
    return next(pid for pid in leaks.processes_of(roots) if comm(pid) == name)


def comm(pid: int) -> str:
    """What the process is called."""
    return Path(f"/proc/{pid}/comm").read_text().strip()


def cpu_s(pid: int) -> float:
    """CPU seconds that all its threads have used (proc(5), fields 14 and 15 of stat)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
