"""Commands killed at a random instant, and what has to be true of the store then.

The next command works, what was complete is there and whole, nothing incomplete is seen, and disk
usage is what du(1) says.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from engine import Engine, observe_disk_usage
from tests.conftest import empty
from tests.engine.images.tars import build, digest, file, tar
from tests.images import busybox_archive
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from engine.state.paths import Roots
    from tests.engine.images.registry.server import Registry

Found = TypeVar("Found")

COMMAND = Path(sys.executable).with_name("buoy")
KEPT = "busybox:latest"
DOCKERFILE = """\
FROM busybox
COPY files /files
RUN cp -r /files /copies && sync /copies
RUN rm -r /copies/1* && echo done > /done
"""
_SLACK_BYTES = 64 * 4096  # directories that hold what is counted
_FILES = 150  # in a layer


class Interrupted:
    """A store with one image that stays, and commands that make and remove others."""

    def __init__(self, roots: Roots, directory: Path, registry: Registry, seed: int) -> None:
        self._roots, self._directory, self._registry = roots, directory, registry
        self._random = random.Random(seed)
        self._environment = {
            **os.environ,
            "BUOY_ROOT": roots.root,
            "BUOY_RUN_ROOT": roots.run_root,
        }
        self._durations_s: dict[str, float] = {}
        self.commands: dict[str, Callable[[], tuple[list[str], str | None]]] = {
            "pull": self._pull,
            "load": self._load,
            "build": self._build,
            "prune": self._prune,
        }
        self._count = 0
        self._run("image", "load", "-qi", str(busybox_archive()))
        self._write("compose.yaml", "services: {keep: {image: busybox}}")
        self._run("create")

    def round(self, kind: str) -> float:
        """Kill one command of a kind after a random time, look, and let it finish; the time in
        seconds. Raises AssertionError, which says what was found."""
        argv, name = self.commands[kind]()
        delay_s = self._random.uniform(0, self._durations_s.get(kind, 0.5))
        self._kill(argv, delay_s)
        self._check(f"{kind} killed after {delay_s:.3f} s", name)
        started = time.monotonic()
        self._run(*argv)
        self._durations_s[kind] = time.monotonic() - started
        self._check(f"{kind} after one that was killed after {delay_s:.3f} s", name)
        assert name is None or name in self._names(), f"{kind} made no {name}"
        self._check_leftovers(kind)
        if name is not None and self._random.random() < 0.5:  # else it is there to be pruned
            self._run("image", "rm", name)
        return delay_s

    def _kill(self, argv: list[str], delay_s: float) -> None:
        """The command alone: its children have to notice by themselves."""
        with subprocess.Popen(
            [COMMAND, *argv],
            cwd=self._directory,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as child:
            time.sleep(delay_s)
            child.send_signal(signal.SIGKILL)

    def _check(self, when: str, name: str | None) -> None:
        names = self._names()
        assert KEPT in names, f"{when}: {KEPT} is gone"
        done = self._try("image", "verify")
        assert done.returncode == 0, f"{when}: {done.stdout}{done.stderr}"
        # what a killed command has started goes on for a moment
        assert eventually(self._agree), (
            f"{when}: df counts {self._counted()}, du {self._found()} bytes"
        )

    def _agree(self) -> bool:
        counted, found = self._counted(), self._found()
        return counted <= found <= counted + _SLACK_BYTES

    def _check_leftovers(self, kind: str) -> None:
        """What the killed command left is gone with the one after it."""
        temporary = Path(self._roots.temporary)
        assert eventually(lambda: all(path.suffix == ".lock" for path in temporary.iterdir())), (
            f"after {kind}: {[path.name for path in temporary.iterdir()]}"
        )
        containers = self._engine_says(
            lambda engine: [one.name for one in engine.containers.list()]
        )
        assert len(containers) == 1, f"after {kind}: {containers}"

    def _counted(self) -> int:
        usage = self._engine_says(observe_disk_usage)
        total = usage.pieces.total(usage.pieces.pieces) + usage.cache_bytes + usage.leftover_bytes
        return total + sum(size for _, size in (*usage.containers, *usage.volumes))

    def _engine_says(self, look: Callable[[Engine], Found]) -> Found:
        engine = Engine(self._roots)
        found = look(engine)
        engine.close()
        return found

    def _found(self) -> int:
        names = ("layers", "blobs", "containers", "volumes", "cache", "tmp")
        paths = [Path(self._roots.root, name) for name in names]
        there = [path for path in paths if path.is_dir()]
        du = ["du", "-scB1", *map(str, there)]  # its exit code tells of what went away meanwhile
        done = subprocess.run(du, check=False, capture_output=True, text=True)
        return int(done.stdout.splitlines()[-1].split()[0])

    def _names(self) -> list[str]:
        return self._run("image", "ls", "--format", "{{.Repository}}:{{.Tag}}").splitlines()

    def _run(self, *argv: str) -> str:
        done = self._try(*argv)
        assert done.returncode == 0, f"buoy {' '.join(argv)}: {done.stdout}{done.stderr}"
        return done.stdout

    def _try(self, *argv: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [COMMAND, *argv],
            cwd=self._directory,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    def end(self) -> None:
        """Take away what keeps the image, and all that was made for builds."""
        asyncio.run(empty(Engine(self._roots)))

    def _write(self, name: str, text: str) -> None:
        path = self._directory / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(text)

    def _layers(self) -> Iterator[bytes]:
        """Two that nobody has had yet, of files that cannot be compressed."""
        for _ in range(2):
            yield tar(*(file(f"f{n}", self._random.randbytes(9000)) for n in range(_FILES)))

    def _pull(self) -> tuple[list[str], str | None]:
        self._count += 1
        reference = self._registry.put(f"a{self._count}", "1", build(list(self._layers())))
        self._write("pull.yaml", f"services: {{a: {{image: '{reference}'}}}}")
        return ["-f", "pull.yaml", "pull", "-q"], reference

    def _load(self) -> tuple[list[str], str | None]:
        self._count += 1
        layers = list(self._layers())
        built = build(layers, compress=False)
        members = [file(f"{n}.tar", gzip.compress(layers[n], 1)) for n in range(len(layers))]
        name = f"loaded{self._count}:1"
        entry = {"Config": "c", "RepoTags": [name], "Layers": ["0.tar", "1.tar"]}
        archive = tar(file("c", built.config), *members, file("manifest.json", json.dumps([entry])))
        path = self._directory / f"{digest(archive)[7:19]}.tar"
        path.write_bytes(archive)
        return ["image", "load", "-qi", str(path)], name

    def _build(self) -> tuple[list[str], str | None]:
        self._count += 1
        for n in range(30):
            self._write(f"files/{n}", self._random.randbytes(9000).hex())
        self._write("Dockerfile", DOCKERFILE)
        name = f"built{self._count}:1"
        self._write("build.yaml", f"services: {{a: {{build: ., image: '{name}'}}}}")
        return ["-f", "build.yaml", "build", "-q"], name

    def _prune(self) -> tuple[list[str], str | None]:
        return ["system", "prune", "-af", "--filter", "label!=com.docker.compose.project"], None
