"""Our builds are Docker's, but for what is in differences.toml: a sample of what
`python -m tests.dockerfiles` compares."""

from __future__ import annotations

import pytest

from tests.comparison import lines
from tests.dockerfiles.comparing import comparisons
from tests.marks import needs_root
from tests.peer import NoPeer

SAMPLE = ("copy-from", "copy-links", "run-changes", "user-workdir", "volume")

pytestmark = [needs_root, pytest.mark.peer, pytest.mark.timeout(300)]


def test_what_differs_is_explained() -> None:
    unexplained = []
    try:
        for variant, found in comparisons(SAMPLE):
            unexplained += [f"{variant}: {one}" for one, entry in found if entry is None]
    except NoPeer as reason:
        pytest.skip(str(reason))
    assert not unexplained, lines(unexplained)
