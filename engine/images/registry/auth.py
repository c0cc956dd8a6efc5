"""Authentication: answering a registry's challenge with a token or a password.

Source: distribution docs/spec/auth/{token,oauth}.md; engine.md D5.2.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

from engine.errors import ImageProblem
from engine.images.registry.challenge import parse_challenges
from engine.images.registry.credentials import find_credentials
from engine.images.registry.errors import refusal
from engine.images.registry.http import Interrupted, read_body, split_url
from engine.images.registry.tokens import Token, known_token, parse_token, remember_token
from engine.images.registry.waiting import is_worth_it

if TYPE_CHECKING:
    from collections.abc import Iterable

    from urllib3 import BaseHTTPResponse

    from engine.images.registry.challenge import Challenge
    from engine.images.registry.credentials import Credentials
    from engine.images.registry.http import Http

_CLIENT = "buoy"
_FALLBACK_STATUSES = (400, 401, 404, 405)  # of token servers without OAuth2
_FOREVER = float("inf")
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class Authenticator:
    """The Authorization header for one registry and its scopes; renewed as needed, by one thread.

    scopes       `repository:library/mysql:pull`; none to log in
    login        credentials to be tried out, instead of those on record
    """

    def __init__(
        self,
        http: Http,
        domain: str,
        path: str,
        scopes: tuple[str, ...],
        *,
        plain: bool,
        login: Credentials | None = None,
    ) -> None:
        self._http = http
        self._domain, self._path = domain, path
        self._scopes = scopes
        self._plain = plain
        self._lock = threading.Lock()
        self._challenge: Challenge | None = None
        self._token: Token | None = None
        self._login = login
        self._credentials = login
        self._searched = login is not None

    def header(self) -> str | None:
        """What to send; None before the registry has asked for anything."""
        with self._lock:
            if self._challenge is not None and self._token is not None and self._token.is_old:
                self._answer(self._challenge)
            return self._token.header if self._token else None

    def answer(self, challenges: Iterable[str], sent: str | None) -> bool:
        """Take up a challenge; whether there is now something else to send than `sent`.

        Raises ImageProblem where the token server refuses.
        """
        with self._lock:
            if self._token is not None and self._token.header != sent:
                return True  # another thread has answered meanwhile
            known = {challenge.scheme: challenge for challenge in parse_challenges(challenges)}
            challenge = known.get("bearer") or known.get("basic")
            if challenge is None:
                return False
            self._answer(challenge, refused=sent)
            return self._token is not None and self._token.header != sent

    @property
    def identity_token(self) -> str:
        """What the token server has given to remember the login by; may be empty."""
        with self._lock:
            return self._token.identity if self._token else ""

    def _answer(self, challenge: Challenge, refused: str | None = None) -> None:
        credentials = self._find_credentials()
        self._challenge = challenge
        if challenge.scheme == "basic":
            shown = credentials.basic if credentials and credentials.user else None
            self._token = Token(header=shown, until=_FOREVER) if shown else None
        elif credentials is not None and credentials.registry_token:
            self._token = Token(header=f"Bearer {credentials.registry_token}", until=_FOREVER)
        else:
            self._token = self._bearer(challenge, credentials, refused)

    def _find_credentials(self) -> Credentials | None:
        if not self._searched:
            self._credentials = find_credentials(self._domain, self._path)
            self._searched = True
        return self._credentials

    def _bearer(
        self, challenge: Challenge, credentials: Credentials | None, refused: str | None
    ) -> Token:
        """One that this process has already, unless it is what was refused; or a new one."""
        realm = self._realm(challenge)
        service = challenge.parameters.get("service", "")
        key = (realm, service, self._wanted(challenge), credentials)
        token = known_token(key)
        if token is None or token.header == refused:
            token = self._fetch(realm, service, self._wanted(challenge), credentials)
            remember_token(key, token)
        return token

    def _wanted(self, challenge: Challenge) -> tuple[str, ...]:
        """Our scopes, and what the registry says it needs beside them."""
        asked = challenge.parameters.get("scope", "").split()
        names = {scope.rpartition(":")[0] for scope in self._scopes}
        more = [scope for scope in asked if scope.rpartition(":")[0] not in names]
        return (*self._scopes, *more)

    def _fetch(
        self, realm: str, service: str, scopes: tuple[str, ...], credentials: Credentials | None
    ) -> Token:
        grant = self._grant(credentials)
        if grant:
            found = self._exchange(realm, service, scopes, grant)
            if found is not None:
                return found
        query = [("service", service), *(("scope", scope) for scope in scopes)]
        query.append(("client_id", _CLIENT))
        if self._login is not None:
            query.append(("offline_token", "true"))
        headers = {}
        if credentials is not None and credentials.user:
            query.append(("account", credentials.user))
            headers["Authorization"] = credentials.basic
        joint = "&" if "?" in realm else "?"
        response = self._http.request("GET", realm + joint + urlencode(query), headers)
        body = read_body(response)
        if response.status == 200:
            return parse_token(body)
        raise self._refusal(realm, response, body)

    def _grant(self, credentials: Credentials | None) -> dict[str, str]:
        """What OAuth2 is asked with: the token of an earlier login, or at a login the password."""
        if credentials is not None and credentials.identity_token:
            return {"grant_type": "refresh_token", "refresh_token": credentials.identity_token}
        if self._login is not None and self._login.user:
            login = {"username": self._login.user, "password": self._login.password}
            return {"grant_type": "password", **login}
        return {}

    def _exchange(
        self, realm: str, service: str, scopes: tuple[str, ...], grant: dict[str, str]
    ) -> Token | None:
        """An access token by OAuth2; None: the server does not know how.

        Source: distribution docs/spec/auth/oauth.md.
        """
        form = {
            **grant,
            "service": service,
            "scope": " ".join(scopes),
            "client_id": _CLIENT,
            "access_type": "offline",
        }
        response = self._http.request("POST", realm, _FORM, urlencode(form).encode())
        body = read_body(response)
        if response.status == 200:
            return parse_token(body)
        if response.status in _FALLBACK_STATUSES:
            return None
        raise self._refusal(realm, response, body)

    def _refusal(self, realm: str, response: BaseHTTPResponse, body: bytes) -> ImageProblem:
        """Raises Interrupted instead where the same is worth another try."""
        host = urlsplit(realm).netloc
        if is_worth_it(response.status, response.headers.get("Retry-After")):
            raise Interrupted(f"{host} answered {response.status} when asked for a token")
        return refusal(
            response.status,
            response.headers,
            body,
            subject=f"a token for {self._domain}",
            host=host,
            domain=self._domain,
        )

    def _realm(self, challenge: Challenge) -> str:
        """Credentials go to it: it must be as secure as the registry is."""
        realm = challenge.parameters.get("realm", "")
        allowed = ("https", "http") if self._plain else ("https",)
        if split_url(realm).scheme not in allowed:
            raise ImageProblem(
                f"{self._domain} sends us for a token to {realm!r}, which is not secure",
                code="registry-error",
            )
        return realm
