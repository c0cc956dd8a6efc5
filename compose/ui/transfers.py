"""How far something is on its way, how fast, and how long it will take."""

from __future__ import annotations

import re
from collections import deque
from time import monotonic

from compose.ui.tables import format_size

_LAYER = re.compile(r"[0-9a-f]{12}")
_UNDER_WAY = ("Downloading", "Preparing", "Pushing")
_WINDOW_S = 5.0  # the speed is that of the last seconds


def is_over(text: str, done_bytes: int | None, total_bytes: int | None) -> bool:
    """Whether nothing more is to be done: all bytes may be here, and not be unpacked yet."""
    return done_bytes is not None and done_bytes == total_bytes and text not in _UNDER_WAY


def is_layer(subject: str) -> bool:
    """Whether progress is about one layer, and not about the image as a whole."""
    return _LAYER.fullmatch(subject) is not None


class Transfer:
    """One thing that is fetched or sent. Times are of time.monotonic()."""

    def __init__(self) -> None:
        self.text = ""
        self.done_bytes: int | None = None
        self.total_bytes: int | None = None
        self._marks: deque[tuple[float, int]] = deque()

    def update(
        self,
        text: str,
        done_bytes: int | None,
        total_bytes: int | None,
        at: float | None = None,
    ) -> None:
        """What is heard of it; another text is another thing that is done with it."""
        at = monotonic() if at is None else at
        if text != self.text:
            self._marks.clear()
        self.text, self.done_bytes, self.total_bytes = text, done_bytes, total_bytes
        if done_bytes is not None:
            self._marks.append((at, done_bytes))
        while len(self._marks) > 2 and at - self._marks[0][0] > _WINDOW_S:
            self._marks.popleft()

    @property
    def is_over(self) -> bool:
        return is_over(self.text, self.done_bytes, self.total_bytes)

    @property
    def speed(self) -> float:
        """Bytes a second; 0 where it is not known yet."""
        if len(self._marks) < 2:
            return 0.0
        (since, before), (now, done) = self._marks[0], self._marks[-1]
        return max(0.0, (done - before) / (now - since)) if now > since else 0.0

    @property
    def amount(self) -> str:
        """`12.3MB/45.1MB  3.2MB/s  10s left`, as far as it is known."""
        return format_amount(self.done_bytes, self.total_bytes, self.speed)


def format_amount(done_bytes: int | None, total_bytes: int | None, speed: float) -> str:
    """Sizes, bytes a second and the time left at that speed; empty where nothing is known."""
    if not done_bytes and not total_bytes:
        return ""
    parts = [format_size(done_bytes or 0)]
    if total_bytes:
        parts[0] += f"/{format_size(total_bytes)}"
    if speed > 0:
        parts.append(f"{format_size(speed)}/s")
        if total_bytes and done_bytes is not None:
            parts.append(f"{_format_left((total_bytes - done_bytes) / speed)} left")
    return "  ".join(parts)


def _format_left(seconds: float) -> str:
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes}m{rest:02}s" if minutes < 60 else f"{minutes // 60}h{minutes % 60:02}m"
