"""One thing about a network that is not as it is on record."""

from __future__ import annotations

from engine.kernel.record import Record


class Finding(Record):
    """What was found, in plain words.

    network    its name; empty where it is of no network
    what       `bridge br-0123456789ab is gone`
    container  name of the one that it is about
    hint       what the user can do, where it is not for us to put right
    """

    network: str
    what: str
    container: str = ""
    hint: str | None = None

    def __str__(self) -> str:
        return f"{self.container}: {self.what}" if self.container else self.what
