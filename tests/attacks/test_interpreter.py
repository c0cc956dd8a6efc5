"""E1: overwriting the program that starts containers (CVE-2019-5736).

The image has a program of its own where our interpreter's loader would be, so that executing
/proc/self/exe runs the image's code in a process whose executable is ours.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine import HealthcheckSpec
from tests.marks import needs_root

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.engine.containers.dock import Dock

pytestmark = needs_root

INTERPRETER = Path(getattr(sys, "_base_executable", sys.executable)).resolve()
LOADER = re.compile(rb"/lib[\w/.-]*/ld-[\w.-]+")
# The file is written to while it runs, and once this process runs something else. It may be busy
# all the same, for others run it: changing its mode, to what it has, tells whether it could be.
OVERWRITE = """\
echo x 2>/dev/null >> /proc/$$/exe && echo overwritten
exec 3< /proc/$$/exe
exec /bin/busybox sh -c '
echo x 2>/dev/null >> /proc/self/fd/3 && echo overwritten
chmod MODE /proc/self/fd/3 2>&1'
""".replace("MODE", f"{INTERPRETER.stat().st_mode & 0o7777:o}")
REFUSED = "chmod: /proc/self/fd/3: Read-only file system\n"


@pytest.fixture
def forged(spoilt: Dock, rootfs: Path) -> Dock:
    """Whose loader is busybox; `/sh` leads to our interpreter."""
    found = LOADER.search(INTERPRETER.read_bytes())
    assert found is not None
    loader = rootfs / found[0].decode().lstrip("/")
    loader.parent.mkdir(parents=True, exist_ok=True)
    loader.hardlink_to(rootfs / "bin/busybox")
    (rootfs / "sh").symlink_to("/proc/self/exe")
    (rootfs / "script").write_text("#!/proc/self/exe\n")
    (rootfs / "script").chmod(0o755)
    return spoilt


@pytest.fixture(autouse=True)
def _untouched() -> Iterator[None]:
    before = INTERPRETER.stat()
    yield
    after = INTERPRETER.stat()
    assert (after.st_size, after.st_mtime_ns) == (before.st_size, before.st_mtime_ns)


@pytest.mark.parametrize("asked", [{}, {"init": True}, {"privileged": True}], ids=str)
def test_what_starts_a_container_cannot_be_written(forged: Dock, asked: dict[str, bool]) -> None:
    ended = forged.end_of(forged.start("/sh", "-c", OVERWRITE, **asked))
    assert ended.stdout == REFUSED


def test_what_starts_an_exec_cannot_be_written(forged: Dock) -> None:
    container = forged.idle()
    for privileged in (False, True):
        done = forged.exec(container, "/sh", "-c", OVERWRITE, privileged=privileged)
        assert done.stdout.decode() == REFUSED


def test_what_starts_a_health_probe_cannot_be_written(forged: Dock) -> None:
    test = ("CMD", "/sh", "-c", OVERWRITE)
    container = forged.idle(healthcheck=HealthcheckSpec(test=test, interval_s=0.05, retries=1))
    forged.wait(container, lambda found: found.health == "unhealthy")
    assert forged.state(container)["health"]["log"][0]["output"] == REFUSED


def test_a_script_that_names_it_runs_what_the_image_has(forged: Dock) -> None:
    """Not our interpreter with a script of the image's, which would be no better."""
    ended = forged.end_of(forged.start("/script"))
    assert (ended.code, ended.stderr) == (127, "exe: applet not found\n")
    done = forged.exec(forged.idle(), "/script")
    assert (done.code, done.stderr) == (127, b"exe: applet not found\n")
