"""Our schema and the specification's own give the same verdict (bench/schemas.py: at length)."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest

from compose.source.yaml import parse_documents
from tests.compose.model.test_plain import EVERYTHING
from tests.schemas.agreement import UPSTREAM, Comparison, corpus, ours, theirs
from tests.schemas.documents import Documents

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [
    pytest.mark.material,
    pytest.mark.skipif(not UPSTREAM.exists(), reason="the specification is not beside us"),
]
MADE_UP = 1000


def examples() -> Iterator[Any]:
    """Valid documents of any size."""
    yield from (document for _, document in corpus())
    yield from parse_documents(EVERYTHING, "everything")


def test_both_accept_the_corpus_and_our_examples() -> None:
    comparison = Comparison()
    for document in examples():
        comparison.add(document)
    assert comparison.disagreements == []
    assert comparison.documents == comparison.valid > 40


def test_both_say_the_same_of_examples_with_something_changed() -> None:
    comparison, chance = Comparison(), random.Random(1)
    for document in examples():
        for _ in range(6):
            comparison.add(Documents({}, chance).changed(document))
    assert comparison.disagreements == []


@pytest.mark.parametrize("source", [ours, theirs], ids=["ours", "theirs"])
def test_both_say_the_same_of_documents_made_up_from_either(source: Any) -> None:
    comparison, documents = Comparison(), Documents(source(), random.Random(2))
    for number in range(MADE_UP // 2):
        document = documents.made()
        comparison.add(documents.changed(document) if number % 3 == 0 else document)
    assert comparison.disagreements == []
    assert comparison.valid > comparison.documents / 5
