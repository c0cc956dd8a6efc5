"""A registry on loopback that fails when it is told to."""

from __future__ import annotations

import contextlib
import itertools
import signal
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from engine.images.manifest import OCI_INDEX, OCI_MANIFEST
from tests.engine.images.tars import digest

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator

    from tests.engine.images.tars import Built

    Fault = Callable[["Handler"], bool]  # True: it has answered itself


SILENCE_S = 45.0  # less than a client waits for an answer


class Registry:
    """Serves what was put or pushed into it; each of `faults` is asked first, in order, once per
    request.

    requests  (method, path, headers) of all that came
    basic     what Authorization must be, for a registry with passwords
    tokens    answers of the token server by scope; with any, requests need a bearer token
    uploads   what has been sent of each blob that is not complete
    lock      of what handlers look at before they change it
    tls       for a registry that speaks it
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.content: dict[str, tuple[str, bytes]] = {}
        self.faults: list[Fault] = []
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self.basic: str | None = None
        self.tokens: dict[str, str] = {}
        self.token_requests: list[dict[str, list[str]]] = []
        self.uploads: dict[str, bytes] = {}
        self.numbers = itertools.count()
        self.lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), Handler)
        if tls is not None:  # the handshake is the handler's: a client that fails it is its alone
            self._server.socket = tls.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self._server.registry = self  # type: ignore[attr-defined]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    def __enter__(self) -> Registry:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def port(self) -> int:
        return self._server.server_port

    def put(self, repository: str, tag: str, image: Built) -> str:
        """Publish an image; its reference."""
        for name, blob in image.blobs.items():
            self.content[f"/v2/{repository}/blobs/{name}"] = ("application/octet-stream", blob)
        self.put_document(repository, tag, image.manifest, OCI_MANIFEST)
        return f"{self.host}/{repository}:{tag}"

    def put_document(
        self, repository: str, tag: str, data: bytes, media_type: str = OCI_INDEX
    ) -> str:
        for name in (tag, digest(data)):
            self.content[f"/v2/{repository}/manifests/{name}"] = (media_type, data)
        return f"{self.host}/{repository}:{tag}"

    def paths(self, method: str = "GET") -> list[str]:
        """Of the requests, without queries."""
        return [urlsplit(path).path for found, path, _ in self.requests if found == method]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64  # of clients that come while it stands still


@contextlib.contextmanager
def nobody() -> Iterator[str]:
    """A host where no registry is, and nobody else can come to be, for a with-block."""
    with socket.socket() as held:  # a port that is taken, and not listened on, refuses clients
        held.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{held.getsockname()[1]}"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Any

    def do_GET(self) -> None:
        self._handle()

    do_HEAD = do_POST = do_PATCH = do_PUT = do_DELETE = do_GET  # noqa: N815 - as http.server has it

    @property
    def registry(self) -> Registry:
        registry: Registry = self.server.registry
        return registry

    @property
    def bare_path(self) -> str:
        return urlsplit(self.path).path

    @property
    def query(self) -> dict[str, str]:
        return {key: values[0] for key, values in parse_qs(urlsplit(self.path).query).items()}

    def handle(self) -> None:
        with contextlib.suppress(OSError):  # a client that hangs up, or does not believe us
            super().handle()

    def log_message(self, *_: object) -> None:
        pass

    def answer(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> bool:
        """Send an answer. Always True, for faults to return."""
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            with contextlib.suppress(ConnectionError):
                self.wfile.write(body)
        return True

    def answer_short(self, data: bytes, count: int) -> bool:
        """Promise all of `data`, send `count` bytes of it, and hang up."""
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data[:count])
        self.close_connection = True
        return True

    def body(self, count: int | None = None) -> bytes:
        """What came with the request, or the first bytes of it."""
        length = int(self.headers.get("Content-Length") or 0)
        return self.rfile.read(length if count is None else count)

    def hang_up(self) -> bool:
        """End the connection without an answer."""
        self.close_connection = True
        return True

    def _handle(self) -> None:
        registry = self.registry
        registry.requests.append((self.command, self.path, dict(self.headers)))
        if any(fault(self) for fault in list(registry.faults)):
            return
        if self.path.startswith("/token"):
            self._serve_token()
            return
        if not self._is_allowed():
            return
        serve = {"GET": self._serve, "HEAD": self._serve}.get(self.command, self._write)
        serve()

    def _is_allowed(self) -> bool:
        given = self.headers.get("Authorization")
        registry = self.registry
        if registry.basic is not None and given != registry.basic:
            self.body()
            self.answer(401, b"", {"WWW-Authenticate": 'Basic realm="here"'})
            return False
        if registry.tokens and given not in {f"Bearer {t}" for t in registry.tokens.values()}:
            self.body()
            realm = f'Bearer realm="http://{registry.host}/token",service="test, one"'
            self.answer(401, b"", {"WWW-Authenticate": realm})
            return False
        return True

    def _serve_token(self) -> None:
        text = self.body().decode() if self.command == "POST" else urlsplit(self.path).query
        asked = parse_qs(text)
        self.registry.token_requests.append(asked)
        token = self.registry.tokens.get(" ".join(asked.get("scope", [""])))
        if token is None:
            self.answer(401, b'{"errors":[{"code":"UNAUTHORIZED","message":"who are you?"}]}')
        else:
            self.answer(200, f'{{"token":"{token}","expires_in":300}}'.encode())

    def _serve(self) -> None:
        if self.bare_path in self.registry.uploads:
            sent = len(self.registry.uploads[self.bare_path])
            self.answer(204, b"", {"Location": self.path, "Range": f"0-{max(sent - 1, 0)}"})
            return
        if self.bare_path not in self.registry.content:
            self.answer(404, b'{"errors":[{"code":"MANIFEST_UNKNOWN","message":"unknown"}]}')
            return
        media_type, data = self.registry.content[self.bare_path]
        headers = {"Content-Type": media_type, "Docker-Content-Digest": digest(data)}
        given = self.headers.get("Range", "")
        if given.startswith("bytes="):
            start = int(given[6:].rstrip("-"))
            headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
            self.answer(206, data[start:], headers)
        else:
            self.answer(200, data, headers)

    def _write(self) -> None:
        """Uploads, as distribution-spec has them, and manifests."""
        registry, path = self.registry, self.bare_path
        repository = path.removeprefix("/v2/").partition("/blobs/")[0]
        if self.command == "DELETE":
            with registry.lock:
                registry.uploads.pop(path, None)
            self.answer(204)
        elif "/manifests/" in path:
            self._put_manifest()
        elif self.command == "POST":
            self._start(repository)
        elif self.command == "PATCH":
            self._patch(path)
        elif (held := registry.uploads.pop(path, None)) is None:
            self.body()
            self._say_unknown()
        else:
            self._finish(repository, held + self.body())

    def _start(self, repository: str) -> None:
        source, wanted = self.query.get("from"), self.query.get("mount")
        known = self.registry.content.get(f"/v2/{source}/blobs/{wanted}")
        if known is not None:
            self.registry.content[f"/v2/{repository}/blobs/{wanted}"] = known
            self.answer(201, b"", {"Location": f"/v2/{repository}/blobs/{wanted}"})
            return
        path = f"/v2/{repository}/blobs/uploads/{next(self.registry.numbers)}"
        self.registry.uploads[path] = b""
        self.answer(202, b"", {"Location": f"{path}?state=a%2Fb", "Range": "0-0"})

    def _patch(self, path: str) -> None:
        start = self.headers.get("Content-Range", "0").partition("-")[0]
        data = self.body()
        with self.registry.lock:
            held = self.registry.uploads.get(path)
            is_next = held is not None and int(start) == len(held)
            if held is not None and is_next:
                self.registry.uploads[path] = held = held + data
        if held is None:  # it may have been given up meanwhile
            self._say_unknown()
            return
        place = {"Location": self.path, "Range": f"0-{max(len(held) - 1, 0)}"}
        self.answer(202 if is_next else 416, b"", place)

    def _say_unknown(self) -> None:
        self.answer(404, b'{"errors":[{"code":"BLOB_UPLOAD_UNKNOWN"}]}')

    def _finish(self, repository: str, data: bytes) -> None:
        if digest(data) != self.query.get("digest"):
            self.answer(400, b'{"errors":[{"code":"DIGEST_INVALID","message":"not that"}]}')
            return
        location = f"/v2/{repository}/blobs/{digest(data)}"
        self.registry.content[location] = ("application/octet-stream", data)
        self.answer(201, b"", {"Location": location})

    def _put_manifest(self) -> None:
        data = self.body()
        found = (self.headers.get("Content-Type") or "", data)
        repository = self.bare_path.rpartition("/")[0]
        for name in (self.bare_path, f"{repository}/{digest(data)}"):
            self.registry.content[name] = found
        self.answer(201, b"", {"Docker-Content-Digest": digest(data)})


def once(
    path_part: str, act: Callable[[Handler], bool], times: int = 1, method: str = "GET"
) -> Fault:
    """A fault that strikes the first `times` requests of a path."""
    left = list(range(times))

    def fault(handler: Handler) -> bool:
        if path_part not in handler.path or handler.command != method:
            return False
        try:
            left.pop()  # at once for all threads
        except IndexError:
            return False
        return act(handler)

    return fault


class Silence:
    """Has the main thread interrupted, and then says nothing until it is told to end.

    was_ended  False for one that nobody ended before its time
    """

    def __init__(self) -> None:
        self._over = threading.Event()
        self.was_ended: list[bool] = []

    def __call__(self, handler: Handler) -> bool:
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        self.was_ended.append(self._over.wait(SILENCE_S))
        return handler.hang_up()

    def end(self) -> None:
        self._over.set()
