"""Builds beside dockerd's own builder: time and memory, both in one run.

    python -m tests.bench.build [REPETITIONS] [--below DIRECTORY] [--tomcat]

A Dockerfile of 20 steps whose late COPY takes 10,000 files, of 40 MB on the disk: from nothing,
unchanged, and with one of those files changed; with --tomcat the image of the Tomcat sample, too,
whose packages both fetch over the network. Rows, and why DIRECTORY is a tmpfs, as in
`tests.bench.images`.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.bench.image_files import SMALL, archives
from tests.bench.images import Bench, buoy, descendants, show
from tests.bench.parties import Party
from tests.images import busybox_archive
from tests.peer import docker_peer

if TYPE_CHECKING:
    from collections.abc import Sequence

FILES, DIRECTORIES, MOST_LINES = 10_000, 100, 400
BASE = "debian:bookworm-slim"
SAMPLE = Path(__file__).parents[2] / "samples/tomcat-mysql/images/tomcat"
TAG = "bench-built"


def write_many(directory: Path) -> Path:
    """A context of 10,000 files; the one that changes."""
    chance = random.Random(1)
    for number in range(FILES):
        path = directory / f"app/d{number % DIRECTORIES:02}/f{number:05}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{number}\n" * chance.randint(1, MOST_LINES))
    (directory / "first.txt").write_text("first")
    early = [f"RUN echo {number} > /srv/{number}" for number in range(8)]
    late = [f"RUN echo {number} > /srv/{number}" for number in range(8, 12)]
    settings = [f"ENV E{number}={number}" for number in range(4)]
    steps = ["WORKDIR /srv", "COPY first.txt /srv/", *early, *settings, "COPY app /srv/app", *late]
    text = "\n".join(["FROM busybox", *steps, 'CMD ["sh"]'])
    (directory / "Dockerfile").write_text(f"{text}\n")
    return path


def write_project(directory: Path, context: Path) -> str:
    """A project file for the same build."""
    path = directory / f"{context.name}.yaml"
    build = f"{{context: {context}, network: host}}"
    path.write_text(f"services:\n  {TAG}:\n    image: {TAG}\n    build: {build}\n")
    return str(path)


class Builder:
    """Builds a context with both, one after the other."""

    def __init__(self, ours: Bench, theirs: Bench, project: str, context: Path) -> None:
        self._ours, self._theirs = ours, theirs
        self._project, self._context = project, str(context)

    def build(self, what: str, *options: str) -> None:
        """`docker build`, and the same by `buoy build`."""
        self._ours.run(what, "-f", self._project, "build", "-q", *options)
        their = ("build", "-q", "--network=host", "-t", TAG, *options, self._context)
        self._theirs.run(what, *their)


def measure_many(builder: Builder, changing: Path, repetitions: int) -> None:
    """20 steps and 10,000 files."""
    for number in range(repetitions):
        builder.build("20 steps, all", "--no-cache")
        builder.build("20 steps, unchanged")
        with changing.open("a") as file:
            file.write(f"{number}\n")
        builder.build("one file changed")


def main(argv: Sequence[str]) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m tests.bench.build")
    parser.add_argument("repetitions", nargs="?", type=int, default=5)
    parser.add_argument("--below", default="/dev/shm")
    parser.add_argument("--tomcat", action="store_true")
    args = parser.parse_args(argv)
    with contextlib.ExitStack() as stack:
        temporary = tempfile.TemporaryDirectory(prefix="b-", dir=args.below)
        directory = Path(stack.enter_context(temporary))
        party = stack.enter_context(buoy(directory))
        peer = stack.enter_context(docker_peer(args.below))
        peer_environment = {**peer.environment, "DOCKER_BUILDKIT": "0"}
        docker = Party(name="dockerd", command="docker", environment=peer_environment)
        always = descendants(os.getpid())
        ours = Bench(party, set(), lambda: descendants(os.getpid()) - always)
        theirs = Bench(docker, always, lambda: descendants(os.getpid()))
        party.run(directory, "image", "load", "-q", "-i", str(busybox_archive()))
        many = directory / "many"
        changing = write_many(many)
        builder = Builder(ours, theirs, write_project(directory, many), many)
        measure_many(builder, changing, args.repetitions)
        if args.tomcat:
            for one in (party, docker):
                one.run(directory, *_load(one), str(archives()[SMALL]))
                one.run(directory, *_tag(one), SMALL, BASE)
            context = Path(shutil.copytree(SAMPLE, directory / "tomcat"))
            builder = Builder(ours, theirs, write_project(directory, context), context)
            builder.build("tomcat, cold", "--no-cache")
            for _ in range(args.repetitions):
                builder.build("tomcat, cached")
        show([ours, theirs])


def _load(party: Party) -> tuple[str, ...]:
    return ("image", "load", "-q", "-i") if party.name == "buoy" else ("load", "-q", "-i")


def _tag(party: Party) -> tuple[str, ...]:
    return ("image", "tag") if party.name == "buoy" else ("tag",)


if __name__ == "__main__":
    main(sys.argv[1:])
