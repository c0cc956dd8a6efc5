"""Health check of a service."""

from __future__ import annotations

from compose.model.record import Record


class Healthcheck(Record):
    """How a container is found healthy. Seconds throughout (Compose: services.healthcheck).

    None where the file says nothing: the image's value counts, then the engine's default.
    `test` is ("CMD", ...), ("CMD-SHELL", script) or ("NONE",) for a check that is switched off.
    """

    test: tuple[str, ...] | None = None
    interval_s: float | None = None
    timeout_s: float | None = None
    start_period_s: float | None = None  # failures in this span do not count towards `retries`
    start_interval_s: float | None = None
    retries: int | None = None
