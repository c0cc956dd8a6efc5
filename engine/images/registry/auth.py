"""Authentication: answering a registry's challenge with a token or a password.

Source: distribution docs/spec/auth/{token,oauth}.md; engine.md D5.2.
"""

from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

from engine.errors import ImageProblem
from engine.images.registry.challenge import parse_challenges
from engine.images.registry.credentials import find_credentials
from engine.images.registry.errors import refusal
from engine.images.registry.http import read_body

if TYPE_CHECKING:
    from collections.abc import Iterable

    from engine.images.registry.challenge import Challenge
    from engine.images.registry.credentials import Credentials
    from engine.images.registry.http import Http

_CLIENT = "buoy"
_DEFAULT_LIFE_S = 60.0
_SAFETY = 0.9  # a token is renewed when this part of its life is over
_FALLBACK_STATUSES = (400, 401, 404, 405)  # of token servers without OAuth2


class Authenticator:
    """The Authorization header for one registry and scope; renewed as needed, by one thread."""

    def __init__(self, http: Http, domain: str, scope: str, *, plain: bool) -> None:
        self._http = http
        self._domain = domain
        self._scope = scope
        self._plain = plain
        self._lock = threading.Lock()
        self._challenge: Challenge | None = None
        self._header: str | None = None
        self._until = 0.0  # monotonic
        self._credentials: Credentials | None = None
        self._searched = False

    def header(self) -> str | None:
        """What to send; None before the registry has asked for anything."""
        with self._lock:
            if self._challenge is not None and time.monotonic() >= self._until:
                self._answer(self._challenge)
            return self._header

    def answer(self, challenges: Iterable[str], sent: str | None) -> bool:
        """Take up a challenge; whether there is now something else to send than `sent`.

        Raises ImageProblem where the token server refuses.
        """
        with self._lock:
            if self._header != sent:  # another thread has answered meanwhile
                return True
            known = {challenge.scheme: challenge for challenge in parse_challenges(challenges)}
            challenge = known.get("bearer") or known.get("basic")
            if challenge is None:
                return False
            self._answer(challenge)
            return self._header is not None and self._header != sent

    def _answer(self, challenge: Challenge) -> None:
        credentials = self._find_credentials()
        if challenge.scheme == "basic":
            self._header = credentials.basic if credentials and credentials.user else None
            self._until = float("inf")
        elif credentials is not None and credentials.registry_token:
            self._header, self._until = f"Bearer {credentials.registry_token}", float("inf")
        else:
            token, life_s = self._token(challenge, credentials)
            self._header, self._until = f"Bearer {token}", time.monotonic() + life_s * _SAFETY
        self._challenge = challenge

    def _find_credentials(self) -> Credentials | None:
        if not self._searched:
            self._credentials = find_credentials(self._domain)
            self._searched = True
        return self._credentials

    def _token(self, challenge: Challenge, credentials: Credentials | None) -> tuple[str, float]:
        realm = self._realm(challenge)
        wanted = {"service": challenge.parameters.get("service", ""), "scope": self._scope}
        if credentials is not None and credentials.identity_token:
            found = self._exchange(realm, wanted, credentials.identity_token)
            if found is not None:
                return found
        query = {**wanted, "client_id": _CLIENT}
        headers = {}
        if credentials is not None and credentials.user:
            query["account"] = credentials.user
            headers["Authorization"] = credentials.basic
        joint = "&" if "?" in realm else "?"
        response = self._http.request("GET", realm + joint + urlencode(query), headers)
        body = read_body(response)
        if response.status != 200:
            raise refusal(
                response.status,
                response.headers,
                body,
                subject=f"a token for {self._domain}",
                host=urlsplit(realm).netloc,
            )
        return _parsed(body)

    def _exchange(
        self, realm: str, wanted: dict[str, str], identity_token: str
    ) -> tuple[str, float] | None:
        form = {
            **wanted,
            "grant_type": "refresh_token",
            "refresh_token": identity_token,
            "client_id": _CLIENT,
            "access_type": "offline",
        }
        response = self._http.request("POST", realm, {}, form=form)
        body = read_body(response)
        if response.status == 200:
            return _parsed(body)
        if response.status in _FALLBACK_STATUSES:
            return None
        host = urlsplit(realm).netloc
        raise refusal(response.status, response.headers, body, subject="a token", host=host)

    def _realm(self, challenge: Challenge) -> str:
        """Credentials go to it: it must be as secure as the registry is."""
        realm = challenge.parameters.get("realm", "")
        allowed = ("https", "http") if self._plain else ("https",)
        if urlsplit(realm).scheme not in allowed:
            raise ImageProblem(
                f"{self._domain} sends us for a token to {realm!r}, which is not secure",
                code="registry-error",
            )
        return realm


def _parsed(body: bytes) -> tuple[str, float]:
    try:
        answer = json.loads(body)
        token = answer.get("token") or answer["access_token"]
        life_s = float(answer.get("expires_in") or _DEFAULT_LIFE_S)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise ImageProblem(
            "the token server's answer has no token", code="registry-error"
        ) from None
    return str(token), life_s
