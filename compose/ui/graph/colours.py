"""Colours of what is drawn: fill and line, by kind."""

from __future__ import annotations

COLOURS = {
    "service": ("#dbeafe", "#2563eb"),
    "replica": ("#eff6ff", "#60a5fa"),
    "image": ("#f3f4f6", "#6b7280"),
    "network": ("#dcfce7", "#16a34a"),
    "volume": ("#fef3c7", "#d97706"),
    "bind": ("#fffbeb", "#d97706"),
    "config": ("#f3e8ff", "#9333ea"),
    "secret": ("#fee2e2", "#dc2626"),
    "model": ("#fce7f3", "#db2777"),
    "container": ("#dbeafe", "#2563eb"),
    "host": ("#f3f4f6", "#111827"),
    "outside": ("#ffffff", "#6b7280"),
}
