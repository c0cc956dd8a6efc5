"""Who reaches whom: every pair of places, by TCP, UDP and ICMP, with real packets."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.comparison import allowed, differences, lines
from tests.marks import needs_root
from tests.peer import NoPeer
from tests.reachability import matrix, scene
from tests.reachability.parties import dockers, ours

LIST = Path(__file__).with_name("differences.toml")

pytestmark = [needs_root, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def seen() -> scene.Result:
    with scene.host() as neighbour, ours() as party:
        return scene.look(neighbour, party)


def test_everybody_reaches_whom_they_ought_to(seen: scene.Result) -> None:
    assert seen.seen == seen.expected, "\n" + matrix.table(seen.expected, seen.seen)


@pytest.mark.peer
def test_dockers_differs_in_what_is_written_alone(seen: scene.Result) -> None:
    entries = allowed(LIST)
    doubtful = [name for entry in entries for name in entry.facts]
    try:
        with scene.host() as neighbour, dockers() as party:
            docker = scene.look(neighbour, party, doubtful=doubtful)
    except NoPeer as reason:
        pytest.skip(str(reason))
    found = differences(matrix.facts(docker.seen), matrix.facts(seen.seen))
    unexplained = [each for each in found if not any(one.explains(each) for one in entries)]
    assert unexplained == [], lines(unexplained)
    untrue = [one for one in entries if not any(one.explains(each) for each in found)]
    assert untrue == [], lines(untrue)
