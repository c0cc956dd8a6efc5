"""ADD of a URL: fetched once, then only asked whether it has changed (engine.md D6.10, D7.3)."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import tempfile
from email.utils import parsedate_to_datetime
from posixpath import basename
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

import urllib3
from urllib3.exceptions import HTTPError

from engine.errors import BuildProblem
from engine.images.registry.wakeable import Sockets
from engine.images.waits import end_with_work
from engine.kernel.record import Record
from engine.state.locks import locked

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from urllib3 import BaseHTTPResponse

    from engine.images.image import Progress

_UNNAMED = "__unnamed__"
_CHECKSUM = re.compile(r"(sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128})")
_TIMEOUT = urllib3.Timeout(connect=10.0, read=60.0)
_RETRY = urllib3.Retry(4, connect=1, redirect=10, backoff_factor=0.5)
_PIECE_BYTES = 1 << 20


class Download(Record):
    """A file that was fetched: alone in its directory, 0600, as old as the server says."""

    directory: str
    name: str


def download(url: str, cache: str, checksum: str | None, progress: Progress) -> Download:
    """The file of a URL. One with a checksum that is here is not asked for again.

    cache     the directory that it is kept below
    checksum  `sha256:HEX` (or sha384, sha512)
    progress  may raise, which ends it

    Raises BuildProblem where it cannot be had, or is another.
    """
    if checksum is not None and not _CHECKSUM.fullmatch(checksum):
        raise BuildProblem(
            f"`{checksum}` is not a digest", hint="sha256: and 64 digits", code="invalid-checksum"
        )
    place = f"{cache}/{hashlib.sha256(url.encode()).hexdigest()[:32]}"
    os.makedirs(place, mode=0o700, exist_ok=True)
    with locked(f"{place}/lock"):
        found = _Fetch(url, place, progress).fetch(checksum)
        os.utime(place)  # pruning goes by it
        return found


class _Fetch:
    """`known` is what the last answer said: the file's digest, ETag, Last-Modified."""

    def __init__(self, url: str, place: str, progress: Progress) -> None:
        self._url, self._place, self._progress = url, place, progress
        self._name = basename(unquote(urlsplit(url).path)) or _UNNAMED
        self._known: dict[str, str] = {}
        with contextlib.suppress(OSError, ValueError), open(f"{place}/answer.json") as file:
            self._known = json.load(file)
        if not os.path.exists(f"{self._directory()}/{self._name}"):
            self._known = {}

    def fetch(self, checksum: str | None) -> Download:
        if checksum is None or self._digest_of(checksum) != checksum:
            self._ask()
            found = self._digest_of(checksum) if checksum else ""
            if checksum and found != checksum:
                raise BuildProblem(
                    f"{self._url} is {found}, not {checksum}",
                    hint="it was changed, there or on the way",
                    code="wrong-checksum",
                )
        return Download(directory=self._directory(), name=self._name)

    def _directory(self) -> str:
        return f"{self._place}/{self._known.get('digest', '')[:32]}"

    def _digest_of(self, checksum: str) -> str:
        """The digest of what is here, in the algorithm of `checksum`."""
        algorithm = checksum.partition(":")[0]
        if not self._known:
            return ""
        with open(f"{self._directory()}/{self._name}", "rb") as file:
            return f"{algorithm}:{hashlib.file_digest(file, algorithm).hexdigest()}"

    def _ask(self) -> None:
        headers = {"User-Agent": "buoy", "Accept-Encoding": "identity"}
        for sent, name in (("If-None-Match", "etag"), ("If-Modified-Since", "modified")):
            if self._known.get(name):
                headers[sent] = self._known[name]
        try:
            with _request(self._url, headers) as response:
                if response.status == 304:
                    return
                if response.status != 200:
                    what = f"{self._url}: the server answers {response.status}"
                    raise BuildProblem(what, code="download-failed")
                self._keep(response)
        except HTTPError as error:
            raise BuildProblem(f"{self._url}: {_reason(error)}", code="download-failed") from None

    def _keep(self, response: BaseHTTPResponse) -> None:
        """The body as a file, which appears whole."""
        digest = hashlib.sha256()
        fd, half = tempfile.mkstemp(dir=self._place)  # 0600
        try:
            with os.fdopen(fd, "wb") as file:
                for piece in response.stream(_PIECE_BYTES):
                    digest.update(piece)
                    file.write(piece)
                    self._progress(self._url, "Downloading", file.tell(), None)
            modified = response.headers.get("Last-Modified", "")
            self._known = {
                "digest": digest.hexdigest(),
                "etag": response.headers.get("ETag", ""),
                "modified": modified,
            }
            os.utime(half, (_seconds(modified),) * 2)
            os.makedirs(self._directory(), mode=0o700, exist_ok=True)
            os.rename(half, f"{self._directory()}/{self._name}")
        except BaseException:
            os.unlink(half)
            raise
        with open(f"{self._place}/answer.json", "w") as answer:
            json.dump(self._known, answer)


@contextlib.contextmanager
def _request(url: str, headers: Mapping[str, str]) -> Iterator[BaseHTTPResponse]:
    parts = urlsplit(url)
    proxy = None if proxy_bypass(parts.netloc) else getproxies().get(parts.scheme)
    sockets = Sockets()
    end_with_work(sockets.close)
    with urllib3.ProxyManager(proxy) if proxy else urllib3.PoolManager() as pool:
        sockets.watch(pool)
        response = pool.request(
            "GET", url, headers=headers, preload_content=False, timeout=_TIMEOUT, retries=_RETRY
        )
        try:
            yield response
        finally:
            response.close()


def _seconds(text: str) -> float:
    """Of a Last-Modified; 0 where it is none, as with BuildKit."""
    try:
        return parsedate_to_datetime(text).timestamp()
    except ValueError:
        return 0.0


def _reason(error: HTTPError) -> str:
    text = str(getattr(error, "reason", None) or error)
    return text.rpartition(">: ")[2]
