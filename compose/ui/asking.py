"""Questions to the user."""

from __future__ import annotations

import sys


def agreed(what: str, question: str = "Are you sure?") -> bool:
    """Ask on stderr and read a line of stdin; no answer is no."""
    sys.stderr.write(f"{what}\n{question} [yN] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")
