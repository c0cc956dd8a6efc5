"""Sending one blob: whole where it is small, else as a stream that goes on where it broke.

Source: OCI distribution-spec, "Pushing blobs"; engine.md D5.5.
"""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from engine.errors import ImageProblem
from engine.images.registry.errors import RegistryUnreachable, wrong_answer
from engine.images.registry.http import Interrupted, read_some
from engine.images.registry.waiting import ATTEMPTS, is_worth_it, wait_before_retry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from urllib3 import BaseHTTPResponse

    from engine.images.manifest import Descriptor
    from engine.images.registry.transport import Transport

    Tell = Callable[[int], None]  # bytes of the blob that were sent

_SINGLE_BYTES = 256 * 1024
_PIECE_BYTES = 64 * 1024  # small: each has only so long to be sent in
_CHUNK_BYTES = 16 * 1024 * 1024
_TOO_LARGE = 413  # of a proxy before the registry, most of the time
_OUT_OF_ORDER = 416
_LOST = 404
_SIZE = re.compile(r"[0-9]{1,18}")
_RANGE = re.compile(r"(?:bytes=)?0-([0-9]{1,18})")
_OCTETS = {"Content-Type": "application/octet-stream"}


class _Again(Exception):
    """Worth another try."""

    def __init__(self, problem: ImageProblem, retry_after: str | None = None) -> None:
        super().__init__(str(problem))
        self.problem, self.retry_after = problem, retry_after


def has_blob(transport: Transport, blob: Descriptor) -> bool:
    """Whether the repository has it."""
    subject = f"layer {blob.short}"
    response = transport.ask(
        f"blobs/{blob.digest}", {}, subject=subject, method="HEAD", expected=(200, 404)
    )
    read_some(response)
    return response.status == 200


def start_upload(transport: Transport, blob: Descriptor, source: str | None) -> str | None:
    """The address to send a blob to; None where the registry took it from `source`, another
    repository of it."""
    query = f"?{urlencode({'mount': blob.digest, 'from': source})}" if source else ""
    what = f"blobs/uploads/{query}"
    response = transport.ask(
        what, {}, subject=f"layer {blob.short}", method="POST", expected=(201, 202)
    )
    read_some(response)
    return None if response.status == 201 else _next(transport, response, what)


class Upload:
    """One blob on its way to `location`, a file at `path` here. `tell` may raise to stop it."""

    def __init__(
        self, transport: Transport, blob: Descriptor, location: str, path: str, tell: Tell
    ) -> None:
        self._transport, self._blob, self._path, self._tell = transport, blob, path, tell
        self._location = location
        self._offset = 0
        self._chunk_bytes: int | None = None  # None: all that is left at once

    def run(self) -> None:
        """Send it. What is half sent is given up at the registry, too, if this does not succeed.

        Raises ImageProblem.
        """
        try:
            self._until_done()
        except BaseException:
            self.abandon()
            raise

    def abandon(self) -> None:
        """Tell the registry that nothing more will come. It may know nothing of it."""
        with contextlib.suppress(ImageProblem, Interrupted):
            read_some(self._transport.connection.send("DELETE", self._location, {}))

    def _until_done(self) -> None:
        attempt, is_begun = 0, False
        problem: ImageProblem
        while True:
            before = self._offset
            try:
                if is_begun:
                    self._find_place()
                is_begun = True
                if self._blob.size <= _SINGLE_BYTES:
                    self._put_whole()
                else:
                    self._send_rest()
                return
            except RegistryUnreachable as gone:  # it may be starting anew
                problem, retry_after = gone, None
            except _Again as again:
                problem, retry_after = again.problem, again.retry_after
            attempt = 0 if self._offset > before else attempt + 1
            if attempt == ATTEMPTS:
                raise problem
            wait_before_retry(attempt, self._transport.voice, problem.what, retry_after)

    def _put_whole(self) -> None:
        response = self._send("PUT", self._closing, 0, self._blob.size)
        self._check(response, 201)

    def _send_rest(self) -> None:
        while self._offset < self._blob.size:
            end = min(self._offset + (self._chunk_bytes or self._blob.size), self._blob.size)
            response = self._send("PATCH", self._location, self._offset, end)
            if response.status == _TOO_LARGE and self._chunk_bytes is None:
                self._chunk_bytes = max(_CHUNK_BYTES, _least(response))
                read_some(response)
                self._find_place()
                continue
            self._check(response, 201, 202, 204)
            self._offset = end
            self._location = _next(self._transport, response, self._location)
        self._close()

    def _close(self) -> None:
        try:
            connection = self._transport.connection
            read_some(
                connection.request(
                    *("PUT", self._closing, {}), subject=self._subject, expected=(201,)
                )
            )
        except ImageProblem:
            if not has_blob(self._transport, self._blob):  # else an earlier answer was lost
                raise

    def _send(self, method: str, url: str, start: int, end: int) -> BaseHTTPResponse:
        headers = {**_OCTETS, "Content-Length": str(end - start)}
        if method == "PATCH" and (start or end < self._blob.size):
            headers["Content-Range"] = f"{start}-{end - 1}"
        connection = self._transport.connection
        try:
            return connection.send(method, url, headers, lambda: self._pieces(start, end))
        except Interrupted as error:
            raise _Again(RegistryUnreachable(connection.endpoint.host, str(error))) from None

    def _check(self, response: BaseHTTPResponse, *expected: int) -> None:
        if response.status in expected:
            read_some(response)
            return
        problem = self._transport.connection.refusal(response, self._subject)
        retry_after = response.headers.get("Retry-After")
        if response.status in (_OUT_OF_ORDER, _LOST) or is_worth_it(response.status, retry_after):
            raise _Again(problem, retry_after)
        raise problem

    def _find_place(self) -> None:
        """Where the registry wants us to go on, or to begin again."""
        connection = self._transport.connection
        self._offset = 0
        if self._blob.size > _SINGLE_BYTES:
            with contextlib.suppress(Interrupted):
                response = connection.send("GET", self._location, {})
                read_some(response)
                held = _held(response)
                if response.status in (202, 204) and held:
                    self._offset = held
                    self._location = _next(self._transport, response, self._location)
                    return
        self.abandon()
        location = start_upload(self._transport, self._blob, None)
        assert location is not None  # nothing was asked to be mounted
        self._location = location

    def _pieces(self, start: int, end: int) -> Iterator[bytes]:
        with open(self._path, "rb") as file:
            file.seek(start)
            while start < end and (piece := file.read(min(_PIECE_BYTES, end - start))):
                start += len(piece)
                self._tell(start)
                yield piece

    @property
    def _closing(self) -> str:
        """The address that the blob is complete with."""
        joint = "&" if "?" in self._location else "?"
        return f"{self._location}{joint}{urlencode({'digest': self._blob.digest})}"

    @property
    def _subject(self) -> str:
        return f"layer {self._blob.short}"


def _next(transport: Transport, response: BaseHTTPResponse, asked: str) -> str:
    """Where to send what follows: a Location may be relative, and is used as it is."""
    connection = transport.connection
    url = asked if "://" in asked else connection.endpoint.url(transport.path, asked)
    location = response.headers.get("Location")
    if not location:
        raise wrong_answer(transport.host, "it does not say where to send a layer to")
    return connection.target(url, location)


def _held(response: BaseHTTPResponse) -> int:
    """How many bytes the registry has. `0-0` is what some say of none, and is taken for that."""
    match = _RANGE.fullmatch(response.headers.get("Range") or "")
    return int(match[1]) + 1 if match and match[1] != "0" else 0


def _least(response: BaseHTTPResponse) -> int:
    match = _SIZE.fullmatch(response.headers.get("OCI-Chunk-Min-Length") or "")
    return int(match[0]) if match else 0
