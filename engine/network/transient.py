"""Networks that nobody makes or removes: they are there while somebody is on them.

The default one, `bridge`, goes with the last container on it; that of builds, which each of their
steps is on, at the end of a build.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from engine.state.locks import locked

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.state.paths import Roots

BRIDGE, BUILD = "bridge", "buoy_build"
TRANSIENT = (BRIDGE, BUILD)
_LOCK = "transient.lock"  # in the run root


@contextlib.contextmanager
def kept(roots: Roots) -> Iterator[None]:
    """For who comes to be on one: meanwhile none is dropped."""
    with _locked(roots, shared=True):
        yield


@contextlib.contextmanager
def dropping(roots: Roots) -> Iterator[None]:
    """For who drops one: meanwhile nobody comes."""
    with _locked(roots, shared=False):
        yield


@contextlib.contextmanager
def _locked(roots: Roots, *, shared: bool) -> Iterator[None]:
    os.makedirs(roots.run_root, mode=0o711, exist_ok=True)
    with locked(f"{roots.run_root}/{_LOCK}", shared=shared):
        yield
