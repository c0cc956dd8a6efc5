"""What is said of broken files: by docker compose 2.40, and by us.

    python -m tests.bench.broken_files [WORD...]

With words, only the files whose titles have one of them.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from ruamel.yaml import YAML

from tests.bench.docker_peer import unpacked

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(argv: Sequence[str]) -> int:
    """Print both for each file."""
    entries = YAML(typ="safe").load(Path(__file__).with_suffix(".yaml").read_text())
    buoy, peer = Path(sys.executable).with_name("buoy"), unpacked() / "docker-compose-2"
    for number, entry in enumerate(entries, start=1):
        if argv and not any(word in entry["title"] for word in argv):
            continue
        print(f"{number}. {entry['title']}")
        for name, program in (("compose 2.40", peer), ("buoy", buoy)):
            said = _said(program, entry["text"]).splitlines()
            for line in said:
                print(f"    {name if line is said[0] else '':14}{line}")
        print()
    return 0


def _said(program: Path, text: str) -> str:
    """What `config` says of a file, in a directory called `shop`."""
    with tempfile.TemporaryDirectory() as parent:
        directory = Path(parent, "shop")
        directory.mkdir()
        (directory / "compose.yaml").write_text(text)
        done = subprocess.run(
            [program, "config", "--quiet"],
            cwd=directory,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stderr.strip().replace(f"{directory}/", "") or "(nothing)"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
