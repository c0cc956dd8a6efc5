"""A registry on loopback that fails when it is told to."""

from __future__ import annotations

import contextlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from engine.images.manifest import OCI_INDEX, OCI_MANIFEST
from tests.engine.images.tars import digest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.engine.images.tars import Built

    Fault = Callable[["Handler"], bool]  # True: it has answered itself


class Registry:
    """Serves what was put into it; each of `faults` is asked first, in order, once per request.

    requests  (method, path, headers) of all that came
    basic     what Authorization must be, for a registry with passwords
    tokens    answers of the token server by scope; with any, requests need a bearer token
    """

    def __init__(self) -> None:
        self.content: dict[str, tuple[str, bytes]] = {}
        self.faults: list[Fault] = []
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self.basic: str | None = None
        self.tokens: dict[str, str] = {}
        self.token_requests: list[dict[str, list[str]]] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
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
        return f"127.0.0.1:{self._server.server_port}"

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
        return [path for found, path, _ in self.requests if found == method]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Any

    def do_GET(self) -> None:
        self._handle()

    def do_HEAD(self) -> None:
        self._handle()

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        form = parse_qs(self.rfile.read(length).decode())
        self.registry.token_requests.append(form)
        self._send_token(form.get("scope", [""])[0])

    @property
    def registry(self) -> Registry:
        registry: Registry = self.server.registry
        return registry

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

    def _handle(self) -> None:
        registry = self.registry
        registry.requests.append((self.command, self.path, dict(self.headers)))
        if self.path.startswith("/token"):
            registry.token_requests.append(parse_qs(urlsplit(self.path).query))
            self._send_token(registry.token_requests[-1].get("scope", [""])[0])
            return
        if any(fault(self) for fault in list(registry.faults)):
            return
        if not self._is_allowed():
            return
        self._serve()

    def _is_allowed(self) -> bool:
        given = self.headers.get("Authorization")
        registry = self.registry
        if registry.basic is not None and given != registry.basic:
            self.answer(401, b"", {"WWW-Authenticate": 'Basic realm="here"'})
            return False
        if registry.tokens and given not in {f"Bearer {t}" for t in registry.tokens.values()}:
            realm = f'Bearer realm="http://{registry.host}/token",service="test, one",scope="x"'
            self.answer(401, b"", {"WWW-Authenticate": realm})
            return False
        return True

    def _send_token(self, scope: str) -> None:
        token = self.registry.tokens.get(scope)
        if token is None:
            self.answer(401, b'{"errors":[{"code":"UNAUTHORIZED","message":"who are you?"}]}')
        else:
            self.answer(200, f'{{"token":"{token}","expires_in":300}}'.encode())

    def _serve(self) -> None:
        if self.path not in self.registry.content:
            self.answer(404, b'{"errors":[{"code":"MANIFEST_UNKNOWN","message":"unknown"}]}')
            return
        media_type, data = self.registry.content[self.path]
        headers = {"Content-Type": media_type, "Docker-Content-Digest": digest(data)}
        given = self.headers.get("Range", "")
        if given.startswith("bytes="):
            start = int(given[6:].rstrip("-"))
            headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
            self.answer(206, data[start:], headers)
        else:
            self.answer(200, data, headers)


def once(path_part: str, act: Callable[[Handler], bool], times: int = 1) -> Fault:
    """A fault that strikes the first `times` GETs of a path."""
    left = [times]

    def fault(handler: Handler) -> bool:
        if path_part not in handler.path or handler.command != "GET" or not left[0]:
            return False
        left[0] -= 1
        return act(handler)

    return fault
