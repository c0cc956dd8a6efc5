"""Signals as people write them (engine.md A11.2)."""

from __future__ import annotations

import signal

import pytest

from engine import ContainerProblem
from engine.containers.signals import signal_number


@pytest.mark.parametrize(
    ("text", "number"),
    [
        *(("TERM", 15), ("SIGTERM", 15), ("sigterm", 15), ("15", 15), (" Kill ", 9)),
        *(("RTMIN", int(signal.SIGRTMIN)), ("SIGRTMIN+3", signal.SIGRTMIN + 3)),
        *(("rtmax-2", signal.SIGRTMAX - 2), ("64", 64)),
    ],
)
def test_a_signal_has_many_spellings(text: str, number: int) -> None:
    assert signal_number(text) == number


@pytest.mark.parametrize(
    "text",
    [
        *("0", "65", "-1", "", "SIG", "NOPE", "_DFL", "SIG_IGN", "TERM+1", "RTMIN+x", "RTMIN+"),
        *("RTMIN-1", "RTMAX+1", "RTMIN+3+3", "\u0661\u0665"),
    ],
)
def test_what_is_no_signal(text: str) -> None:
    with pytest.raises(ContainerProblem) as caught:
        signal_number(text)
    assert caught.value.code == "unknown-signal"
