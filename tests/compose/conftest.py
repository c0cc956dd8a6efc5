"""Fixtures of the tests of what the user writes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.compose.projects import Files

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def files(tmp_path: Path) -> Files:
    """A project directory to write files into and load."""
    return Files(tmp_path)
