"""How long `config -q` takes: a small file and a long one, kept and not, beside compose 2.40.

    python -m tests.bench.config [ROUNDS]

Medians of whole commands, in milliseconds. `kept` is the project that an earlier command has
loaded; for `not kept` the cache is emptied before each round. Then, of the long file, where the
time of one load goes.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.bench.docker_peer import unpacked
from tests.bench.parties import Party, median_ms, print_table

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

SERVICES = 78  # of the long file: 23 lines each
SMALL = """
services:
  web:
    image: nginx:1
    ports: ["8080:80"]
    depends_on: [api]
  api:
    image: api:1
    environment: {DB: db}
    depends_on: {db: {condition: service_healthy}}
  db:
    image: postgres:16
    volumes: ["data:/var/lib/postgresql/data"]
    healthcheck: {test: [CMD, pg_isready]}
volumes:
  data:
"""
SERVICE = """
  s{0}:
    image: "registry.example.org/team/s{0}:${{TAG:-1.{0}}}"
    restart: unless-stopped
    command: [serve, --port, "80{0:02}"]
    environment:
      NAME: s{0}
      LEVEL: ${{LEVEL:-info}}
      LIMIT: 10
    ports:
      - "80{0:02}:80"
    volumes:
      - ./s{0}:/srv:ro
      - data{0}:/data
    networks:
      - net{1}
    labels:
      org.example.tier: "{1}"
    healthcheck:
      test: curl -f http://localhost/
      interval: 10s
    depends_on:
      s{2}:
        condition: service_started"""


def main(argv: Sequence[str]) -> int:
    """Measure and print."""
    rounds = int(argv[0]) if argv else 15
    directory = Path(tempfile.mkdtemp(prefix="b-", dir="/var/tmp"))
    try:
        small, long = _write(directory / "small", SMALL), _write(directory / "long", long_file())
        root = directory / "root"
        environment = {**os.environ, "BUOY_ROOT": str(root)}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        buoy = Party(
            name="buoy",
            command=str(Path(sys.executable).with_name("buoy")),
            environment=environment,
        )
        peer = Party(
            name="compose 2.40",
            command=str(unpacked() / "docker-compose-2"),
            environment=environment,
        )

        def forget() -> None:
            shutil.rmtree(root, ignore_errors=True)

        rows = {}
        for name, project in (("3 services", small), (f"{_lines(long)} lines", long)):
            theirs = _median(peer, project, rounds, lambda: None)
            rows[f"{name}, not kept"] = [_median(buoy, project, rounds, forget), theirs]
            rows[f"{name}, kept"] = [_median(buoy, project, rounds, lambda: None), theirs]
        print_table("config -q, median ms", ["buoy", "compose 2.40"], rows)
        _print_parts(long)
    finally:
        shutil.rmtree(directory)
    return 0


def long_file() -> str:
    """A project of many services that use most of what people use."""
    services = [SERVICE.format(number, number % 7, number - 1) for number in range(1, SERVICES + 1)]
    volumes = [f"\n  data{number}:" for number in range(1, SERVICES + 1)]
    networks = [f"\n  net{number}:" for number in range(7)]
    parts = ["services:\n  s0: {image: x}", *services, "\nvolumes:", *volumes]
    return "".join([*parts, "\nnetworks:", *networks, "\n"])


def _write(directory: Path, text: str) -> Path:
    directory.mkdir()
    (directory / "compose.yaml").write_text(text)
    return directory


def _lines(directory: Path) -> int:
    return len((directory / "compose.yaml").read_text().splitlines())


def _median(party: Party, project: Path, rounds: int, before: Callable[[], None]) -> float:
    times_s = []
    for _ in range(rounds + 1):
        before()
        times_s.append(party.run(project, "config", "-q"))
    return median_ms(times_s[1:])


def _print_parts(project: Path) -> None:
    """Where the time of a load goes, in this process."""
    from compose.graph.dependencies import with_dependencies
    from compose.model.load import load_project, load_tree
    from compose.model.options import LoadOptions
    from compose.source.schema import validate
    from compose.source.yaml import parse_documents

    text = (project / "compose.yaml").read_text()
    options = LoadOptions(working_directory=str(project), environment={})
    tree, loaded = load_tree(options).tree, load_project(options)
    parts: dict[str, Callable[[], object]] = {
        "text to tree": lambda: parse_documents(text, "f"),
        "schema": lambda: validate(tree),
        "whole tree": lambda: load_tree(options),
        "whole project": lambda: load_project(options),
        "graph": lambda: with_dependencies(loaded),
    }
    print("\nof the long file, without imports, ms")
    for name, part in parts.items():
        times_s = []
        for _ in range(5):
            began_s = time.perf_counter()
            part()
            times_s.append(time.perf_counter() - began_s)
        print(f"{name:32}{median_ms(times_s):>22.0f}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
