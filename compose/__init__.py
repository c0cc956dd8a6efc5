"""Compose projects: what the user writes and sees. The engine below knows nothing of it."""

__version__ = "0.1.0"
