"""Requests through a proxy: plain ones handed to it, TLS through a tunnel of its."""

from __future__ import annotations

import base64
import contextlib
import socket
import threading
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from engine.errors import ImageProblem
from tests.engine.images.registry import Registry
from tests.engine.images.tars import build, file, tar
from tests.marks import needs_program, needs_root

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from engine.images.images import Images
    from tests.engine.images.registry.certificates import Authority

pytestmark = [needs_root, needs_program("openssl")]
IMAGE = build([tar(file("a", "a"))], Cmd=["sh"])
LOGIN = "Basic " + base64.b64encode(b"me:p@ss").decode()


class Proxy(BaseHTTPRequestHandler):
    """Takes every name for this machine."""

    server: Any

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        parts = urlsplit(self.path)
        upstream = HTTPConnection("127.0.0.1", parts.port)
        upstream.request(self.command, parts.path, headers={"Host": parts.netloc})
        answer = upstream.getresponse()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.read())
        upstream.close()

    do_HEAD = do_GET  # noqa: N815 - as http.server has it

    def do_CONNECT(self) -> None:
        self.server.asked.append(self.path)
        if self.headers.get("Proxy-Authorization") != LOGIN:
            self.send_error(407)
            return
        port = int(self.path.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port)) as upstream:
            self.send_response(200)
            self.end_headers()
            back = threading.Thread(target=_pass_on, args=(upstream, self.connection))
            back.start()
            _pass_on(self.connection, upstream)
            back.join()

    def log_message(self, *_: object) -> None:
        pass


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What it has been asked for. It is the proxy of all requests but those to this machine."""
    server: Any = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    server.asked = []
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    for name in ("http_proxy", "https_proxy", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, f"http://me:p%40ss@127.0.0.1:{server.server_port}")
    yield server.asked
    server.shutdown()
    thread.join()
    server.server_close()


def test_tls_goes_through_a_tunnel(
    *,
    images: Images,
    registry: Registry,
    authority: Authority,
    settings: Callable[[str], Path],
    proxy: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with Registry(authority.server("DNS:registry.test")) as secure:
        name = f"registry.test:{secure.port}"
        settings(f'[registry."{name}"]\nca = "{authority.cert}"\n')
        secure.put("a", "1", IMAGE)
        assert images.pull(f"{name}/a:1").config.cmd == ("sh",)
        assert set(proxy) == {name}
        monkeypatch.setenv("HTTPS_PROXY", "http://me:secret@127.0.0.1:1")
        with pytest.raises(ImageProblem, match=r"its proxy, 127.0.0.1:1: \w+ refused") as caught:
            images.pull(f"{name}/a:1", platform="linux/s390x")
    assert caught.value.code == "registry-unreachable"


def test_plain_requests_are_handed_to_it(
    images: Images, registry: Registry, settings: Callable[[str], Path], proxy: list[str]
) -> None:
    mirror = f"http://mirror.test:{registry.port}"
    settings(f'[registry."registry.test"]\nmirrors = ["{mirror}"]\n')
    registry.put("a", "1", IMAGE)
    assert images.pull("registry.test/a:1").config.cmd == ("sh",)
    assert proxy[0] == f"{mirror}/v2/a/manifests/1?ns=registry.test"


def test_what_is_excepted_goes_straight_there(
    images: Images, registry: Registry, proxy: list[str]
) -> None:
    assert images.pull(registry.put("a", "1", IMAGE)).config.cmd == ("sh",)
    assert proxy == []
