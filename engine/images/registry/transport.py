"""Requests to one repository of a registry: authenticated, redirected, retried."""

from __future__ import annotations

import ipaddress
import random
import time
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from engine.errors import ImageProblem
from engine.images.reference import DEFAULT_DOMAIN
from engine.images.registry.auth import Authenticator
from engine.images.registry.errors import RegistryUnreachable, refusal
from engine.images.registry.http import Http, Interrupted, read_body

if TYPE_CHECKING:
    from collections.abc import Mapping

    from urllib3 import BaseHTTPResponse

HUB_HOST = "registry-1.docker.io"
ATTEMPTS = 5
_FIRST_DELAY_S = 0.5
_LONGEST_DELAY_S = 30.0  # a registry that asks for more is not waited for
_MOST_REDIRECTS = 10
_REDIRECTS = {301, 302, 303, 307, 308}
_AGAIN = {408, 429, 500, 502, 503, 504}
_LARGEST_REFUSAL_BYTES = 64 * 1024


class Transport:
    """GET and HEAD below `/v2/<path>/` of a registry, from several threads."""

    def __init__(self, domain: str, path: str) -> None:
        self.host = HUB_HOST if domain == DEFAULT_DOMAIN else domain
        self._scheme = "http" if _is_loopback(self.host) else "https"
        self._path = path
        self._http = Http()
        plain = self._scheme == "http"
        scope = f"repository:{path}:pull"
        self._authenticator = Authenticator(self._http, domain, scope, plain=plain)

    def get(
        self,
        what: str,
        headers: Mapping[str, str],
        *,
        subject: str,
        method: str = "GET",
        expected: tuple[int, ...] = (200,),
    ) -> BaseHTTPResponse:
        """The answer to a request for `what` (`manifests/8`), its body not read yet.

        Tried again where the connection broke, and where the registry is busy or limits us.
        Raises ImageProblem; `subject` is what it says was asked for.
        """
        url = f"{self._scheme}://{self.host}/v2/{self._path}/{what}"
        last: ImageProblem | None = None
        for attempt in range(ATTEMPTS):
            try:
                response = self._authenticated(method, url, headers)
            except Interrupted as error:
                last = RegistryUnreachable(self.host, str(error))
                wait_before_retry(attempt)
                continue
            if response.status in expected:
                return response
            body = _some(response)
            last = refusal(response.status, response.headers, body, subject=subject, host=self.host)
            retry_after = response.headers.get("Retry-After")
            if response.status not in _AGAIN or _seconds(retry_after) > _LONGEST_DELAY_S:
                break
            wait_before_retry(attempt, retry_after)
        assert last is not None
        raise last

    def _authenticated(self, method: str, url: str, headers: Mapping[str, str]) -> BaseHTTPResponse:
        """One challenge is answered; a token that was too old or too narrow, once more."""
        for _ in range(2):
            authorization = self._authenticator.header()
            response = self._redirected(method, url, headers, authorization)
            if response.status != 401:
                return response
            challenges = response.headers.getlist("WWW-Authenticate")
            if not self._authenticator.answer(challenges, authorization):
                return response
            _some(response)
        return self._redirected(method, url, headers, self._authenticator.header())

    def _redirected(
        self, method: str, url: str, headers: Mapping[str, str], authorization: str | None
    ) -> BaseHTTPResponse:
        """Follow redirects; what authenticates us stays with the host that asked for it."""
        origin = urlsplit(url)
        for _ in range(_MOST_REDIRECTS):
            parts = urlsplit(url)
            sent = dict(headers)
            if authorization and (parts.scheme, parts.netloc) == (origin.scheme, origin.netloc):
                sent["Authorization"] = authorization
            response = self._http.request(method, url, sent)
            location = response.headers.get("Location")
            if response.status not in _REDIRECTS or location is None:
                return response
            _some(response)
            url = self._target(url, location)
        raise ImageProblem(f"{self.host} redirects without end", code="registry-error")

    def _target(self, url: str, location: str) -> str:
        target = urljoin(url, location)
        scheme = urlsplit(target).scheme
        if scheme not in ("http", "https") or (scheme == "http" and url.startswith("https:")):
            raise ImageProblem(
                f"{self.host} redirects to {target}, which is not secure", code="registry-error"
            )
        return target


def wait_before_retry(attempt: int, retry_after: str | None = None) -> None:
    """Sleep 0.5, 1, 2... s and a little at random, or as long as the registry asks for."""
    delay_s = _FIRST_DELAY_S * 2**attempt * random.uniform(1, 1.2)
    time.sleep(max(delay_s, _seconds(retry_after)))


def _seconds(retry_after: str | None) -> float:
    """Of a Retry-After header: a number, or a date."""
    if not retry_after:
        return 0.0
    if retry_after.strip().isdigit():
        return float(retry_after)
    try:
        return parsedate_to_datetime(retry_after).timestamp() - time.time()
    except ValueError:
        return 0.0


def _some(response: BaseHTTPResponse) -> bytes:
    """The beginning of a body that only explains; the connection can be used again."""
    try:
        return read_body(response, _LARGEST_REFUSAL_BYTES)
    except (Interrupted, ImageProblem):
        return b""


def _is_loopback(host: str) -> bool:
    """Docker talks plain http to these: localhost, 127.0.0.0/8, ::1."""
    name = urlsplit(f"//{host}").hostname or ""
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"
