"""`buoy export`, `commit`, and `image import` and `export`."""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from engine.kernel import mounts
from tests.images import busybox_rootfs
from tests.marks import needs_root
from tests.scenarios.conftest import COMMAND
from tests.waiting import eventually

if TYPE_CHECKING:
    from pathlib import Path

    from engine.images.image import Image
    from tests.scenarios.conftest import Buoy

pytestmark = needs_root

PROJECT = """
services:
  web:
    image: busybox
    command: sh -c 'echo new > /etc/new; rm /etc/group; echo v > /data/v; echo ready; sleep 1000'
    init: true
    environment: {COLOUR: blue}
    labels: {mine: yes}
    volumes: [/data]
    x-buoy-probe: file:/data/v
"""


def exported(buoy: Buoy, *args: str) -> dict[str, tarfile.TarInfo]:
    done = subprocess.run(
        [COMMAND, *args], cwd=buoy.directory, env=buoy.environment, check=True, capture_output=True
    )
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as tar:
        return {member.name: member for member in tar}


@pytest.fixture
def web(buoy: Buoy, busybox: Image) -> Buoy:
    buoy.write("compose.yaml", PROJECT)
    buoy.run("up", "-d", "--wait")
    return buoy


def test_a_container_is_exported_and_committed_whether_it_runs_or_not(web: Buoy) -> None:
    running = exported(web, "export", "web")
    assert {"etc/new", "etc/passwd", "bin/busybox", "data", "proc"} <= running.keys()
    assert not {"etc/group", "data/v", "proc/self", "proc/1"} & running.keys()

    done = web.run(
        *("commit", "-a", "Ada", "-m", "as it is", "-c", 'CMD ["cat", "/etc/new"]'),
        *("-c", "ENV SIZE=1 SHAPE=$COLOUR", "-c", "WORKDIR etc", "web", "mine:1"),
    )
    (shown,) = json.loads(web.run("image", "inspect", "mine:1").stdout)
    assert done.lines == [shown["Id"]]
    assert (shown["Author"], shown["Comment"]) == ("Ada", "as it is")
    assert shown["Config"]["Cmd"] == ["cat", "/etc/new"]
    assert shown["Config"]["WorkingDir"] == "/etc"
    assert {"COLOUR=blue", "SIZE=1", "SHAPE=blue"} <= set(shown["Config"]["Env"])
    assert shown["Config"]["Labels"] == {"mine": "yes"}
    assert len(shown["RootFS"]["Layers"]) == 2
    assert web.run("ps", "--format", "json").lines  # it goes on

    web.run("stop", "-t", "0")
    assert exported(web, "export", "web").keys() == running.keys()
    image = exported(web, "image", "export", "mine:1")
    assert "etc/new" in image
    assert "etc/group" not in image
    assert not {"etc/hosts", "etc/resolv.conf", "data"} & image.keys()

    web.write("compose.yaml", "services: {web: {image: 'mine:1'}}")
    web.run("up", "-d", "--remove-orphans")
    assert eventually(lambda: web.run("logs", "--no-log-prefix").lines == ["new"])


@pytest.mark.parametrize("kind", ["save", "export"])
def test_an_output_without_room_is_told_and_not_left(
    buoy: Buoy, busybox: Image, tmp_path: Path, kind: str
) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mounts.mount("tmpfs", str(small), "tmpfs", data="size=1m")
    try:
        done = buoy.run("image", kind, "-o", f"{small}/a.tar", "busybox", check=False)
        assert list(small.iterdir()) == []
    finally:
        mounts.unmount(str(small))
    assert (done.exit_code, done.stderr.splitlines()[0]) == (1, "error: disk-full")


def test_what_cannot_be_committed_is_refused(web: Buoy) -> None:
    assert "unknown instruction" in web.run("commit", "-c", "COLOUR x", "web", check=False).stderr
    assert "no change of a config" in web.run("commit", "-c", "RUN x", "web", check=False).stderr
    assert "#3" in web.run("commit", "--index", "3", "web", check=False).stderr
    assert "no service" in web.run("export", "nothing", check=False).stderr
    web.write("compose.yaml", "services: {host: {image: 'rootfs:/', command: 'true'}}")
    web.run("create", "--remove-orphans")
    assert "not-committable" in web.run("commit", "host", check=False).stderr


def test_a_tar_is_imported_from_a_url_with_a_config(buoy: Buoy) -> None:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/rootfs.tar" else 404)
            self.end_headers()
            self.wfile.write(busybox_rootfs().read_bytes())

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,)).start()
        url = f"http://127.0.0.1:{server.server_port}"
        buoy.run("image", "import", "-m", "from afar", "-c", "USER 7", f"{url}/rootfs.tar", "a:1")
        missing = buoy.run("image", "import", f"{url}/nothing", check=False)
        server.shutdown()
    assert "the server answers 404" in missing.stderr
    (shown,) = json.loads(buoy.run("image", "inspect", "a:1").stdout)
    assert (shown["Config"]["User"], shown["Comment"]) == ("7", "from afar")
