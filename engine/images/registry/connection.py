"""Requests to one repository at one address: authenticated, redirected, tried again."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from engine.errors import ImageProblem
from engine.images.registry.credentials import meta_headers
from engine.images.registry.errors import RegistryUnreachable, refusal
from engine.images.registry.http import Interrupted, read_some, split_url
from engine.images.registry.notices import warnings_of
from engine.images.registry.waiting import ATTEMPTS, is_worth_it, wait_before_retry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from urllib3 import BaseHTTPResponse

    from engine.images.registry.auth import Authenticator
    from engine.images.registry.endpoints import Endpoint
    from engine.images.registry.http import Http
    from engine.images.registry.waiting import Voice

    Body = Callable[[], bytes | Iterable[bytes]]  # called anew for each time that it is sent

_MOST_REDIRECTS = 10
_REDIRECTS = {301, 302, 303, 307, 308}
_ON_MIRRORS = 2  # attempts: there is somebody else to ask
_PORTS = {"http": 80, "https": 443}
_TLS_PORT = b"HTTPS"  # of what servers say to plain http on such a port, whatever their words


class Connection:
    """What is asked of one endpoint, from several threads."""

    def __init__(
        self, http: Http, endpoint: Endpoint, authenticator: Authenticator, voice: Voice
    ) -> None:
        self.endpoint = endpoint
        self._meta = {} if endpoint.is_mirror else meta_headers()
        self._http = http
        self._authenticator = authenticator
        self._voice = voice
        self._warnings: set[str] = set()

    @property
    def identity_token(self) -> str:
        """What the token server has given to remember a login by; may be empty."""
        return self._authenticator.identity_token

    def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        *,
        subject: str,
        expected: tuple[int, ...],
        body: Body | None = None,
    ) -> BaseHTTPResponse:
        """The answer, with one of the statuses that are `expected`, its body not read yet.

        Tried again where the connection broke, and where the registry is busy or limits us.
        Raises ImageProblem; `subject` is what it says was asked for.
        """
        attempts = _ON_MIRRORS if self.endpoint.is_mirror else ATTEMPTS
        for attempt in range(attempts):
            last, retry_after = attempt + 1 == attempts, None
            try:
                response = self.send(method, url, headers, body)
            except Interrupted as error:
                problem: ImageProblem = RegistryUnreachable(self.endpoint.host, str(error))
            else:
                if response.status in expected:
                    return response
                retry_after = response.headers.get("Retry-After")
                problem = self.refusal(response, subject)
                last = last or not is_worth_it(response.status, retry_after)
            if last:
                break
            wait_before_retry(attempt, self._voice, problem.what, retry_after)
        raise problem

    def send(
        self, method: str, url: str, headers: Mapping[str, str], body: Body | None = None
    ) -> BaseHTTPResponse:
        """One request, whatever the answer. A challenge is answered, unless it is of a host that we
        were sent to; a token that was too old or too narrow is renewed once more.

        Raises ImageProblem, Interrupted.
        """
        for _ in range(2):
            authorization = self._authenticator.header()
            response, place = self._redirected(method, url, headers, authorization, body)
            if not self._is_ours(place):  # it would name whom our password goes to
                return response
            challenges = response.headers.getlist("WWW-Authenticate")
            narrow = response.status == 403 and any("insufficient_scope" in c for c in challenges)
            if response.status != 401 and not narrow:
                return response
            try:
                if not self._authenticator.answer(challenges, authorization):
                    return response
            except BaseException:
                response.close()
                raise
            read_some(response)
        return self._redirected(method, url, headers, self._authenticator.header(), body)[0]

    def _redirected(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        authorization: str | None,
        body: Body | None,
    ) -> tuple[BaseHTTPResponse, str]:
        """The answer, and the address it is of: redirects are followed. What authenticates us stays
        with the host that asked for it."""
        for _ in range(_MOST_REDIRECTS):
            sent = dict(headers)
            if self._is_ours(url):
                sent |= self._meta
                if authorization:
                    sent["Authorization"] = authorization
            response = self._http.request(method, url, sent, body() if body else None)
            self._show_warnings(response)
            location = response.headers.get("Location")
            if response.status not in _REDIRECTS or location is None:
                return response, url
            read_some(response)
            url = self.target(url, location)
        raise ImageProblem(f"{self.endpoint.host} redirects without end", code="registry-error")

    def target(self, url: str, location: str) -> str:
        """Where a Location header of the answer from `url` points to.

        A registry behind a proxy that ends TLS takes its own address for plain http: what it
        means is itself. Raises ImageProblem where we would go from TLS to none.
        """
        split_url(location)
        target = urljoin(url, location)
        parts, asked = split_url(target), urlsplit(url)
        if parts.scheme == "http" and asked.scheme == "https" and parts.netloc == asked.netloc:
            return parts._replace(scheme="https").geturl()
        downgraded = parts.scheme == "http" and asked.scheme == "https"
        if parts.scheme not in ("http", "https") or downgraded:
            raise ImageProblem(
                f"{self.endpoint.host} redirects to {target}, which is not secure",
                code="registry-error",
            )
        return target

    def _is_ours(self, url: str) -> bool:
        return _origin(url) == _origin(f"{self.endpoint.scheme}://{self.endpoint.host}")

    def refusal(self, response: BaseHTTPResponse, subject: str) -> ImageProblem:
        """The problem that an answer other than success stands for."""
        body = read_some(response)
        host = self.endpoint.host
        if self.endpoint.is_plain and response.status == 400 and _TLS_PORT in body:
            return ImageProblem(f"{host} speaks https, not http", code="registry-tls")
        return refusal(response.status, response.headers, body, subject=subject, host=host)

    def _show_warnings(self, response: BaseHTTPResponse) -> None:
        for text in warnings_of(response.headers.getlist("Warning")):
            if text not in self._warnings:
                self._warnings.add(text)
                self._voice.say(f"{self.endpoint.host} warns: {text}")


def _origin(url: str) -> tuple[str, str | None, int | None]:
    """Whom an address is of: a port that goes without saying may be said."""
    parts = split_url(url)
    return parts.scheme, parts.hostname, parts.port or _PORTS.get(parts.scheme)
