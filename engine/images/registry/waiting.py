"""Patience: when a request is worth another try, and how it is waited for."""

from __future__ import annotations

import random
import time
from email.utils import parsedate_to_datetime

from engine.images.image import silent
from engine.kernel.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from engine.images.image import Progress

ATTEMPTS = 5
_LONGEST_DELAY_S = 120.0  # a registry that asks for more is not waited for
_BUSY = frozenset({408, 425, 429, 500, 502, 503, 504})  # statuses
_FIRST_DELAY_S = 0.5
_BEAT_S = 0.5
_SAID_FROM_S = 2.0  # a shorter wait is not worth a word


class Voice(Record):
    """Whom a transfer tells what it does, and of what."""

    subject: str
    progress: Progress = silent

    def say(self, text: str) -> None:
        """One line."""
        self.progress(self.subject, text, None, None)

    def beat(self, text: str) -> None:
        """It still goes on. Raises what is to stop it."""
        self.progress(self.subject, text, 0, None)


def is_worth_it(status: int, retry_after: str | None) -> bool:
    """Whether an answer may soon be another one: the registry is busy, and not for too long."""
    return status in _BUSY and parse_retry_after(retry_after) <= _LONGEST_DELAY_S


def wait_before_retry(attempt: int, voice: Voice, why: str, retry_after: str | None = None) -> None:
    """Wait 0.5, 1, 2... s and a little at random, or as long as the registry asks for."""
    asked_s = parse_retry_after(retry_after)
    delay_s = max(_FIRST_DELAY_S * 2**attempt * random.uniform(1, 1.2), asked_s)
    text = f"{why}: waiting {delay_s:.0f} s"
    if delay_s >= _SAID_FROM_S:
        voice.say(text)
    until = time.monotonic() + delay_s
    while (left_s := until - time.monotonic()) > 0:
        voice.beat(text)
        time.sleep(min(left_s, _BEAT_S))


def parse_retry_after(value: str | None) -> float:
    """Seconds from now, of a Retry-After header: a number of them, or a date."""
    if not value:
        return 0.0
    if value.strip().isdecimal():
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return 0.0
