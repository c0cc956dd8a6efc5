"""A project that is as it should be costs next to nothing."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.marks import needs_root

if TYPE_CHECKING:
    from tests.scenarios.conftest import Buoy

pytestmark = [needs_root, pytest.mark.usefixtures("busybox")]

# What would take a noticeable part of 60 ms. `typing` alone takes 3.
HEAVY = {
    "asyncio",
    "concurrent.futures",
    "dataclasses",
    "jsonschema",
    "logging",
    "networkx",
    "pathlib",
    "pyroute2",
    "rich",
    "ruamel.yaml",
    "subprocess",
    "typing",
    "urllib3",
}
PROGRAM = f"""
import sys
from compose.__main__ import main
code = main()
heavy = {HEAVY!r} & set(sys.modules)
sys.exit(f"imported {{heavy}}" if heavy else code)
"""


@pytest.mark.parametrize("words", [("up", "-d"), ("ps",), ("ps", "--format", "json"), ("plan",)])
def test_nothing_heavy_is_imported(buoy: Buoy, words: tuple[str, ...]) -> None:
    buoy.write(
        "compose.yaml",
        """
services:
  db: {image: busybox, command: sleep 1000, stop_grace_period: 0s}
  web: {image: busybox, command: sleep 1000, stop_grace_period: 0s, depends_on: [db]}
""",
    )
    buoy.run("up", "-d")
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *words],
        cwd=buoy.directory,
        env=buoy.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_a_verb_of_images_loads_none_of_the_others(buoy: Buoy) -> None:
    program = """
import sys
from compose.__main__ import main
main()
print(*sys.modules, sep="\\n")
"""
    done = subprocess.run(
        [sys.executable, "-c", program, "image", "ls"],
        env=buoy.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(done.stdout.splitlines())
    assert "compose.commands.image_showing" in loaded
    assert not loaded & HEAVY
    assert not loaded & {"compose.commands.image_build", "compose.commands.image_archives"}
