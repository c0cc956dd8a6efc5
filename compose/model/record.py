"""The base of the model's classes."""

from __future__ import annotations

from engine import Record as Record
