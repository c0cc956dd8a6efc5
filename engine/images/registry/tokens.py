"""Tokens of registries, kept for the life of the process: ten pulls need not ask ten times."""

from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING

from engine.errors import ImageProblem
from engine.kernel.record import Record

if TYPE_CHECKING:
    from collections.abc import Hashable

_DEFAULT_LIFE_S = 60.0
_SAFETY = 0.9  # a token is renewed when this part of its life is over
_lock = threading.Lock()
_tokens: dict[Hashable, Token] = {}


class Token(Record):
    """What is sent.

    until     of time.monotonic()
    identity  what a login is remembered by instead of the password; empty: the server has no such
    """

    header: str
    until: float
    identity: str = ""

    @property
    def is_old(self) -> bool:
        return time.monotonic() >= self.until


def known_token(key: Hashable) -> Token | None:
    """One for the same realm, service, scopes and credentials that is still good."""
    with _lock:
        token = _tokens.get(key)
    return None if token is None or token.is_old else token


def remember_token(key: Hashable, token: Token) -> None:
    """For `known_token`."""
    with _lock:
        _tokens[key] = token


def parse_token(body: bytes) -> Token:
    """A token server's answer. Raises ImageProblem.

    Source: distribution docs/spec/auth/token.md, "Token Response Fields".
    """
    try:
        answer = json.loads(body)
        token = answer.get("token") or answer["access_token"]
        life_s = float(answer.get("expires_in") or _DEFAULT_LIFE_S)
        identity = str(answer.get("refresh_token") or "")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise ImageProblem(
            "the token server's answer has no token", code="registry-error"
        ) from None
    until = time.monotonic() + life_s * _SAFETY
    return Token(header=f"Bearer {token}", until=until, identity=identity)
