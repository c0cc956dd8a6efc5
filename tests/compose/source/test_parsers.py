"""The parser in C and the one in Python come to the same trees, at the same places."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import main

from compose.source.tree import Map, walk
from compose.source.yaml import read_text
from tests.bench.config_cases import CASES
from tests.compose.model.test_plain import corpus

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from compose.source import tree


def placed(documents: Iterable[Map]) -> list[tuple[Map, list[tuple[tree.Path, tree.Mark]]]]:
    """Documents with the places of all that is in them."""
    return [(one, list(walk(one, one.mark))) for one in documents]


def test_both_are_here() -> None:
    assert main.CParser is not None  # type: ignore[attr-defined]


@pytest.mark.parametrize("path", corpus(), ids=lambda path: path.parent.name)
def test_public_files(path: Path) -> None:
    text = path.read_text()
    assert placed(read_text(text, "f", pure=False)) == placed(read_text(text, "f", pure=True))


def test_files_with_corners() -> None:
    for text in {text for case in CASES for text in case.files}:
        try:
            quick = placed(read_text(text, "f", pure=False))
        except Exception:  # noqa: BLE001 - then the one in Python is asked
            continue
        assert quick == placed(read_text(text, "f", pure=True)), text


YAML = st.text(alphabet="ab:- \n[]{},&*#'\"|>?!~0", max_size=40)


@given(YAML)
def test_what_both_accept_they_read_alike(text: str) -> None:
    try:
        quick, plain = (placed(read_text(text, "f", pure=pure)) for pure in (False, True))
    except Exception:  # noqa: BLE001
        return
    assert quick == plain
