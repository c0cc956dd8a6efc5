"""The command in a chroot, as on a machine that is being set up or in some CI jobs."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from tests.marks import needs_root
from tests.scenarios.conftest import COMMAND, TIMEOUT_S

if TYPE_CHECKING:
    from pathlib import Path

    from engine.images.image import Image
    from tests.scenarios.conftest import Buoy

IN_CHROOT = """
mount --make-rprivate /
mkdir -p "$0"
mount --rbind / "$0"
exec chroot "$0" sh -c 'cd "$0" && exec "$@"' "$@"
"""


def in_chroot(buoy: Buoy, new_root: Path, *args: str) -> str:
    command = ["unshare", "--mount", "sh", "-c", IN_CHROOT, str(new_root)]
    done = subprocess.run(
        [*command, str(buoy.directory), str(COMMAND), *args],
        env=buoy.environment,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@needs_root
def test_an_exec_sees_the_containers_root_and_not_the_hosts(
    buoy: Buoy, busybox: Image, tmp_path: Path
) -> None:
    buoy.write(
        "compose.yaml",
        f"services: {{web: {{image: {busybox.id}, command: sleep 1000, hostname: inside}}}}",
    )
    new_root = tmp_path / "chroot"
    in_chroot(buoy, new_root, "up", "-d")
    found = in_chroot(buoy, new_root, "exec", "-T", "web", "cat", "/etc/hostname")
    assert found == "inside\n"
    assert (
        in_chroot(buoy, new_root, "exec", "-T", "web", "ls", "/..").split()
        == in_chroot(buoy, new_root, "exec", "-T", "web", "ls", "/").split()
    )
