"""Ten services of one image: up, the same again, ps, stop and start of one, down.

    python -m tests.bench.up_ten [ROUNDS]

Medians in milliseconds of whole commands, the parties taking turns in every round.
"""

from __future__ import annotations

import contextlib
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

from tests.bench.parties import Party, buoy, docker, median_ms, print_table, write_project

COMMANDS = {
    "version": ("version",),
    "up -d, from nothing": ("up", "-d"),
    "up -d, nothing to do": ("up", "-d"),
    "ps": ("ps",),
    "stop -t 0 of one": ("stop", "-t", "0", "s1"),
    "start of one": ("start", "s1"),
    "down -t 0": ("down", "-t", "0"),
}


def main(rounds: int) -> None:
    """Measure and print."""
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        ours, _ = stack.enter_context(buoy())
        parties = [ours, *stack.enter_context(docker())]
        times = measure(parties, directory, rounds)
    rows = {what: [median_ms(times[what, party.name]) for party in parties] for what in COMMANDS}
    title = f"10 services, median of {rounds}, milliseconds"
    print_table(title, [party.name for party in parties], rows)


def measure(
    parties: list[Party], directory: Path, rounds: int
) -> dict[tuple[str, str], list[float]]:
    """Seconds by command and party. A first round, which warms the caches, is not counted."""
    times: dict[tuple[str, str], list[float]] = defaultdict(list)
    for party in parties:
        write_project(directory / party.name.replace(" ", "-"), 10)
    for number in range(rounds + 1):
        for party in parties:
            for what, args in COMMANDS.items():
                took_s = party.run(directory / party.name.replace(" ", "-"), *args)
                if number > 0:
                    times[what, party.name].append(took_s)
    return times


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
