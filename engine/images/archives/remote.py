"""A file at a URL, read as it arrives."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import urllib3
from urllib3.exceptions import HTTPError, MaxRetryError

from engine.errors import ImageProblem
from engine.images.registry.http import reason_of, split_url
from engine.images.registry.proxies import find_proxy

if TYPE_CHECKING:
    from collections.abc import Iterator

_TIMEOUT = urllib3.Timeout(connect=10.0, read=60.0)
_PIECE_BYTES = 1024 * 1024


def is_url(path: str) -> bool:
    """Whether it is not a path here."""
    return path.startswith(("http://", "https://"))


@contextlib.contextmanager
def remote_pieces(url: str) -> Iterator[Iterator[bytes]]:
    """The content. Raises ImageProblem (`download-failed`), in the midst of it as well."""
    parts = split_url(url)
    proxy = find_proxy(parts.scheme, parts.netloc)
    try:
        with urllib3.ProxyManager(proxy) if proxy else urllib3.PoolManager() as pool:
            response = pool.request("GET", url, preload_content=False, timeout=_TIMEOUT)
            with contextlib.closing(response):
                if response.status != 200:
                    raise _failed(url, f"the server answers {response.status}")
                yield response.stream(_PIECE_BYTES, decode_content=False)
    except HTTPError as error:
        cause = error.reason if isinstance(error, MaxRetryError) else None
        raise _failed(url, reason_of(cause or error)) from None


def _failed(url: str, why: str) -> ImageProblem:
    return ImageProblem(f"{url}: {why}", code="download-failed")
