"""Signals by the names that people give them."""

from __future__ import annotations

import signal

from engine.errors import ContainerProblem


def signal_number(text: str) -> int:
    """`SIGTERM`, `term`, `15`, `SIGRTMIN+3` -> the number. Raises ContainerProblem."""
    word = text.strip().upper()
    if word.isascii() and word.isdecimal() and 0 < int(word) < signal.NSIG:
        return int(word)
    name, sign, offset = _split(word.removeprefix("SIG"))
    number = int(getattr(signal, f"SIG{name}", 0)) if name.isalnum() else 0
    if sign:
        number += offset if sign == "+" else -offset
        is_real_time = name in ("RTMIN", "RTMAX") and number >= signal.SIGRTMIN
        number = number if is_real_time else 0
    if not 0 < number < signal.NSIG:
        raise ContainerProblem(
            f"there is no signal `{text}`",
            hint="signal(7) lists them; SIG in front is optional",
            code="unknown-signal",
        )
    return number


def _split(name: str) -> tuple[str, str, int]:
    """RTMIN+3 -> RTMIN, +, 3."""
    for sign in ("+", "-"):
        base, found, offset = name.partition(sign)
        if found and offset.isascii() and offset.isdecimal():
            return base, sign, int(offset)
    return name, "", 0
