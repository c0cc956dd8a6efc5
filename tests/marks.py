"""What a test needs of the machine. Under `--nothing-may-skip` (./check) a skip is a failure."""

from __future__ import annotations

import os
import shutil

import pytest

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="makes kernel objects: needs root")


def needs_program(name: str) -> pytest.MarkDecorator:
    """Skips where the program `name` is not on PATH."""
    return pytest.mark.skipif(shutil.which(name) is None, reason=f"needs the program {name}")
