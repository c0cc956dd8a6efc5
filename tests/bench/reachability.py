"""Who reaches whom, as tables: `python -m tests.bench.reachability`, as root.

Rows are targets, columns are sources: T, U and I where TCP, UDP and ICMP are answered. First Buoy,
each cell that is not as expected with what was expected after a `!`; then Docker, with what Buoy
has after the `!`, and the reasons.
"""

from __future__ import annotations

from pathlib import Path

from tests.comparison import allowed
from tests.reachability import matrix, scene
from tests.reachability.parties import dockers, ours

LIST = Path(scene.__file__).with_name("differences.toml")


def main() -> None:
    """Look, and print."""
    with scene.host() as neighbour, ours() as party:
        buoy = scene.look(neighbour, party)
    print("Buoy\n" + matrix.table(buoy.expected, buoy.seen))
    with scene.host() as neighbour, dockers() as party:
        docker = scene.look(neighbour, party)
    print("\nDocker\n" + matrix.table(buoy.seen, docker.seen))
    for entry in allowed(LIST):
        print(f"{', '.join(entry.facts)}: {entry.docker} here, {entry.buoy} there: {entry.reason}")


if __name__ == "__main__":
    main()
