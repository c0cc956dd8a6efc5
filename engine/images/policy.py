"""When an image is fetched again: Compose's `pull_policy` (Compose specification, services)."""

from __future__ import annotations

import re
import time

from engine.errors import ImageProblem

_DAY_S = 24 * 3600.0
_UNITS_S = {"w": 7 * _DAY_S, "d": _DAY_S, "h": 3600.0, "m": 60.0, "s": 1.0}
_DURATION = re.compile(r"(?:[0-9]+[wdhms])+")
_NAMED: dict[str, float | None] = {
    "missing": None,
    "if_not_present": None,
    "never": None,
    "always": 0.0,
    "daily": _DAY_S,
    "weekly": 7 * _DAY_S,
}


def parse_interval(policy: str) -> float | None:
    """Seconds after which an image that is here is fetched again; None: not at all.

    `every_1d12h` -> 129600.0. Raises ImageProblem (`invalid-pull-policy`).
    """
    if policy in _NAMED:
        return _NAMED[policy]
    duration = policy.removeprefix("every_")
    if duration == policy or not _DURATION.fullmatch(duration):
        raise ImageProblem(
            f"{policy!r} is not a pull policy",
            hint=f"one of {', '.join(_NAMED)}, or every_ and a duration: every_12h",
            code="invalid-pull-policy",
        )
    parts = re.findall(r"([0-9]+)([wdhms])", duration)
    return sum(int(count) * _UNITS_S[unit] for count, unit in parts)


def is_due(interval_s: float | None, updated_at: float) -> bool:
    """Whether what was fetched at `updated_at` (seconds since the epoch) is too old."""
    return interval_s is not None and time.time() - updated_at >= interval_s
