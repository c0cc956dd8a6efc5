"""Signals by the names that people give them."""

from __future__ import annotations

import signal

from engine.errors import ContainerProblem


def signal_number(text: str) -> int:
    """`SIGTERM`, `term`, `15`, `SIGRTMIN+3` -> the number. Raises ContainerProblem."""
    word = text.strip().upper()
    if word.isdecimal() and 0 < int(word) < signal.NSIG:
        return int(word)
    name = word.removeprefix("SIG")
    base, sign, offset = name.partition("+") if "+" in name else name.partition("-")
    try:
        number = int(getattr(signal, f"SIG{base}"))
    except AttributeError:
        number = 0
    if number and sign:
        number += int(offset) if sign == "+" else -int(offset)
    if not 0 < number < signal.NSIG:
        raise ContainerProblem(
            f"there is no signal `{text}`",
            hint="signal(7) lists them; SIG in front is optional",
            code="unknown-signal",
        )
    return number
