"""Servers on the loopback interface that builds fetch from: of files, and of git repositories."""

from __future__ import annotations

import contextlib
import hashlib
import http.server
import socketserver
import subprocess
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

AT = "Wed, 21 Oct 2015 07:28:00 GMT"
AT_S = 1445412480
DATA = b"what there is"
DIGEST = f"sha256:{hashlib.sha256(DATA).hexdigest()}"


class Server(http.server.ThreadingHTTPServer):
    """Serves `files`; `asked` are the requests, with what was answered."""

    def __init__(self, files: dict[str, bytes]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files = files
        self.asked: list[tuple[str, int]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        data = self.server.files.get(self.path)
        tag = f'"{hashlib.sha256(data or b"").hexdigest()}"'
        if self.path.startswith("/moved/"):
            status, headers = 302, {"Location": self.path.removeprefix("/moved")}
        elif data is None:
            status, headers = 404, {}
        elif self.headers.get("If-None-Match") == tag:
            status, headers = 304, {}
        else:
            status, headers = 200, {"ETag": tag, "Last-Modified": AT}
        self.server.asked.append((self.path, status))
        body = data or b"" if status == 200 else b""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - as it is overridden
        pass


@contextlib.contextmanager
def serving_files(files: dict[str, bytes]) -> Iterator[Server]:
    """A server of these, by their paths."""
    with Server(files) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


class Repository:
    """A repository with a branch, a tag and a submodule, served by git's own daemon."""

    def __init__(self, directory: Path, port: int) -> None:
        self.directory, self._port = directory, port
        self.make("inner.git", {"inside": "inside"})
        self.make("outer.git", {"a": "a", "dir/b": "b", "dir/out": "-> ../../.."})
        (directory / "outer.git/a").chmod(0o700)
        self.git("outer.git", "submodule", "add", self.url("inner.git"), "below")
        self.git("outer.git", "commit", "-qam", "second")
        self.git("outer.git", "tag", "-a", "-m", "tagged", "v1")
        self.git("outer.git", "checkout", "-q", "-b", "next")
        self.make("outer.git", {"a": "next"})
        self.git("outer.git", "checkout", "-q", "main")

    def url(self, name: str) -> str:
        return f"git://127.0.0.1:{self._port}/{name}"

    def make(self, name: str, files: dict[str, str]) -> None:
        place = self.directory / name
        if not place.exists():
            place.mkdir()
            self.git(name, "init", "-q", "-b", "main")
        for path, text in files.items():
            (place / path).parent.mkdir(exist_ok=True)
            if text.startswith("-> "):
                (place / path).symlink_to(text[3:])
            else:
                (place / path).write_text(text)
        self.git(name, "add", "-A")
        self.git(name, "commit", "-qm", "first")

    def git(self, name: str, *words: str) -> str:
        who = ("-c", "user.name=n", "-c", "user.email=e@example.org")
        command = ["git", "-C", str(self.directory / name), *who, *words]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        return done.stdout.strip()


@contextlib.contextmanager
def serving_repositories(directory: Path) -> Iterator[Repository]:
    """Git's own daemon over a directory: one for each client, as inetd(8) would start it."""
    with _GitServer(directory) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield Repository(directory, server.server_address[1])
        finally:
            server.shutdown()
            thread.join()


class _GitServer(socketserver.ThreadingTCPServer):
    def __init__(self, directory: Path) -> None:
        super().__init__(("127.0.0.1", 0), _GitHandler)
        self.directory = directory


class _GitHandler(socketserver.BaseRequestHandler):
    server: _GitServer

    def handle(self) -> None:
        directory = self.server.directory
        subprocess.run(
            ["git", "daemon", "--inetd", "--export-all", f"--base-path={directory}", directory],
            stdin=self.request,
            stdout=self.request,
            stderr=subprocess.DEVNULL,
            check=False,
        )
