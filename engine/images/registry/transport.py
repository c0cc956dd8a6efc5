"""The way to one repository: of all addresses it can be had at, those that answer."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, TypeVar

from engine.errors import ImageProblem
from engine.images.image import silent
from engine.images.registry.auth import Authenticator
from engine.images.registry.connection import Connection
from engine.images.registry.endpoints import endpoints
from engine.images.registry.errors import RegistryUnreachable
from engine.images.registry.http import Http
from engine.images.registry.waiting import Voice

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from urllib3 import BaseHTTPResponse

    from engine.images.image import Progress
    from engine.images.registry.connection import Body
    from engine.images.registry.credentials import Credentials
    from engine.images.registry.endpoints import Endpoint

Result = TypeVar("Result")


class Transport:
    """Requests below `/v2/<path>/` of a registry, from several threads.

    Mirrors are asked first, and passed over where they fail, for whatever reason, be it that what
    they have is damaged; they are never written to.

    path      empty for the registry as a whole
    push      whether it is to be written to
    sources   other repositories of the registry that content is mounted from
    login     credentials to be tried out, instead of those on record
    subject   what `progress` is told of
    """

    def __init__(
        self,
        domain: str,
        path: str,
        *,
        push: bool = False,
        sources: Sequence[str] = (),
        login: Credentials | None = None,
        subject: str = "",
        progress: Progress = silent,
    ) -> None:
        self.path = path
        self._domain, self._push, self._sources, self._login = domain, push, sources, login
        self._http = Http()
        self._lock = threading.Lock()
        self._progress = progress
        self.voice = Voice(subject=subject or f"{domain}/{path}", progress=self._tell)
        self._left = [self._connect(one) for one in endpoints(domain, mirrors=not push)]

    @property
    def connection(self) -> Connection:
        """The one that is asked now."""
        return self._left[0]

    @property
    def host(self) -> str:
        """Whom it is with."""
        return self.connection.endpoint.host

    def ask(
        self,
        what: str,
        headers: Mapping[str, str],
        *,
        subject: str,
        method: str = "GET",
        expected: tuple[int, ...] = (200,),
        body: Body | None = None,
    ) -> BaseHTTPResponse:
        """The answer to a request for `what` (`manifests/8`), its body not read yet.

        Raises ImageProblem; `subject` is what it says was asked for.
        """
        while True:
            connection = self.connection
            url = connection.endpoint.url(self.path, what)
            try:
                return connection.request(
                    method, url, headers, subject=subject, expected=expected, body=body
                )
            except ImageProblem as problem:
                if not self.pass_over(connection, problem):
                    raise

    def first_good(self, fetch: Callable[[], Result]) -> Result:
        """What `fetch` makes of an answer, or of the next one's where a mirror's makes it raise
        ImageProblem. For one thread alone."""
        while True:
            try:
                return fetch()
            except ImageProblem as problem:
                if not self.pass_over(self.connection, problem):
                    raise

    def pass_over(self, connection: Connection, problem: ImageProblem) -> bool:
        """Whether there is another to be asked instead of one that failed so; it is from now on."""
        endpoint = connection.endpoint
        with self._lock:
            if self.connection is not connection:  # another thread was here
                return True
            if len(self._left) == 1 or not (endpoint.is_mirror or _is_scheme(endpoint, problem)):
                return False
            del self._left[0]
        if endpoint.is_mirror:
            self.voice.say(f"{self.host} is asked instead of its mirror: {problem.what}")
        return True

    def stop(self) -> None:
        """End what other threads do with it: they get Stopped."""
        self._http.stop()

    def _tell(self, subject: str, text: str, done: int | None, total: int | None) -> None:
        self._http.check()  # it may be a wait that is told of
        self._progress(subject, text, done, total)

    def _connect(self, endpoint: Endpoint) -> Connection:
        """What logs us in there is that host's own: a mirror is not shown what is upstream's."""
        domain = endpoint.host if endpoint.is_mirror else self._domain
        actions = "pull,push" if self._push else "pull"
        scopes = [f"repository:{endpoint.repository(self.path)}:{actions}"]
        scopes += [f"repository:{source}:pull" for source in self._sources]
        authenticator = Authenticator(
            self._http,
            domain,
            endpoint.repository(self.path),
            tuple(scopes) if self.path else (),
            plain=endpoint.is_plain,
            login=self._login,
        )
        return Connection(self._http, endpoint, authenticator, self.voice)


def _is_scheme(endpoint: Endpoint, problem: ImageProblem) -> bool:
    """Whether a failure may come from talking plain where TLS is spoken, or the other way round."""
    unreachable = isinstance(problem, RegistryUnreachable) and not endpoint.is_plain
    return unreachable or problem.code == "registry-tls"
