"""The dock of the containers' tests."""

from __future__ import annotations

from tests.engine.containers.conftest import busybox_directory, dock

__all__ = ["busybox_directory", "dock"]
