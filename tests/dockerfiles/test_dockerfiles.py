"""Our builds are Docker's, but for what is in differences.toml; and all of that is needed."""

from __future__ import annotations

import tomllib

import pytest

from tests.comparison import lines
from tests.dockerfiles.comparing import LIST, comparisons
from tests.marks import needs_root
from tests.peer import NoPeer

pytestmark = [needs_root, pytest.mark.peer, pytest.mark.timeout(900)]


def test_what_differs_is_explained() -> None:
    needed, unexplained = set(), []
    try:
        for variant, found in comparisons():
            needed |= {entry.reason for _, entry in found if entry is not None}
            unexplained += [f"{variant}: {one}" for one, entry in found if entry is None]
    except NoPeer as reason:
        pytest.skip(str(reason))
    assert not unexplained, lines(unexplained)
    written = {table["reason"] for table in tomllib.loads(LIST.read_text())["difference"]}
    assert not written - needed, lines(written - needed)
