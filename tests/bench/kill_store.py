"""Kill pulls, loads, builds and prunes at random instants: `python -m tests.bench.kill_store 200`.

The second argument is the seed, so that a run can be repeated.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from pathlib import Path

from engine.state.paths import Roots
from tests import leaks
from tests.engine.images.registry.server import Registry
from tests.interruptions import Interrupted


def main(rounds: int = 200, seed: int | None = None) -> None:
    """Print each failure, and how many there were."""
    seed = int(time.time()) if seed is None else seed
    directory = Path(tempfile.mkdtemp(prefix="b-kill-", dir="/var/tmp"))
    (directory / "project").mkdir()
    roots, failures = Roots(f"{directory}/root", f"{directory}/run"), 0
    try:
        with leaks.watched(roots), Registry() as registry:
            store = Interrupted(roots, directory / "project", registry, seed)
            kinds = list(store.commands)
            for number in range(rounds):
                kind = kinds[number % len(kinds)]
                try:
                    store.round(kind)
                except AssertionError as failure:
                    failures += 1
                    print(f"round {number}: {failure}")
            store.end()
    finally:
        shutil.rmtree(directory)
    print(f"{rounds} rounds with seed {seed}: {failures} failures")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
