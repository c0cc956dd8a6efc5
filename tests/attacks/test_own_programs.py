"""E20, E9: nothing of the image is executed, loaded or asked for our own purposes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from engine import Mount
from tests.marks import needs_root

if TYPE_CHECKING:
    from pathlib import Path

    from tests.engine.containers.dock import Dock

pytestmark = needs_root

ASKED = """sh bash ps top id getent nsenter df du tar cat ls stat cp mount umount env sleep kill
tini ip nft iptables hostname docker-init buoy python3 newuidmap modprobe ldconfig"""


@pytest.fixture
def trapped(dock: Dock, rootfs: Path) -> Dock:
    """An image of one program; each other one, and each library, tells that it was used."""
    program = rootfs / "program"
    program.hardlink_to(rootfs / "bin/busybox")
    trap = '#!/program sh\necho "$0 $*" >> /traps/used\n'
    for directory in ("bin", "sbin", "usr/bin", "usr/sbin", "usr/local/bin"):
        place = rootfs / directory
        place.mkdir(parents=True, exist_ok=True)
        for name in ASKED.split():
            (place / name).unlink(missing_ok=True)
            (place / name).write_text(trap)
            (place / name).chmod(0o755)
    for name in ("nsswitch.conf", "ld.so.preload", "ld.so.cache", "localtime", "host.conf"):
        (rootfs / "etc" / name).write_text("/evil.so\nhosts: evil\npasswd: evil\n")
    dock.image = f"rootfs:{rootfs}"
    return dock


def test_what_is_done_with_a_container_runs_nothing_in_it(trapped: Dock, tmp_path: Path) -> None:
    dock, containers = trapped, trapped.engine.containers
    tmp_path.chmod(0o777)
    traps = Mount(type="bind", source=str(tmp_path), target="/traps")
    volume = Mount(type="volume", source="v", target="/etc")
    container = dock.start(
        "/bin/busybox", "sleep", "1000", mounts=(traps, volume), user="app", tty=True
    )
    assert [each.command for each in containers.processes(container.id)]
    containers.usage(container.id)
    containers.list()
    list(containers.logs(container.id))
    dock.run(containers.pause(container.id))
    dock.run(containers.unpause(container.id))
    assert dock.exec(container, "/bin/busybox", "true", user="root").code == 0
    dock.kill(container, "SIGHUP")
    dock.stop(container)
    dock.start_again(container)
    dock.stop(container)
    assert not (tmp_path / "used").exists()


def test_a_name_of_a_process_is_only_text(dock: Dock) -> None:
    """It is the program's own, and lies between brackets in what the kernel tells of it."""
    script = "printf ') R 1 1 (\\n\\033[2J' > /proc/$$/comm; echo ready; while :; do sleep 9; done"
    container = dock.start("sh", "-c", script)
    dock.wait_for_line(container, "ready")
    pids = [process.pid for process in dock.engine.containers.processes(container.id)]
    assert container.pid in pids
    assert dock.get(container).status == "running"
    assert dock.stop(container).status == "exited"
