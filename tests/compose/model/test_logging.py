"""`logging` of a service: which drivers there are, and what their options mean."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from compose.errors import InvalidValue
from tests.compose.model.test_services import service

if TYPE_CHECKING:
    from compose.model import Logging
    from tests.compose.projects import Files


def logging(files: Files, written: str) -> Logging:
    return service(files, f"logging: {written}").logging


def test_sizes_are_decimal_as_dockers_are(files: Files) -> None:
    found = logging(files, "{driver: json-file, options: {max-size: 10m, max-file: '3'}}")
    assert (found.driver, found.max_size_bytes, found.max_files) == ("json-file", 10_000_000, 3)
    assert logging(files, "{options: {max-size: '-1'}}").max_size_bytes == 0


def test_without_a_driver_the_options_that_ours_lacks_mean_json_file(files: Files) -> None:
    assert logging(files, "{options: {max-size: 1k}}").driver is None
    assert logging(files, "{driver: default}").driver is None
    tagged = logging(files, "{options: {tag: x, labels: a}}")
    assert (tagged.driver, tagged.attributes) == ("json-file", {"tag": "x", "labels": "a"})


def test_none_takes_any_options(files: Files) -> None:
    assert logging(files, "{driver: none, options: {a: b}}").driver == "none"


@pytest.mark.parametrize(
    ("written", "what"),
    [
        ("{driver: local, options: {tag: x}}", "unknown log opt 'tag' for local log driver"),
        ("{options: {max-siz: 1m}}", "unknown log opt 'max-siz' for json-file log driver"),
        ("{options: {max-size: lots}}", "`lots` is not a size"),
        ("{options: {max-size: 0}}", "`0` is not a positive number"),
        ("{options: {max-file: 0}}", "`0` is not a number of 1 or more"),
        ("{options: {compress: maybe}}", "`maybe` is neither true nor false"),
        ("{options: {mode: lazy}}", "`lazy` is none of"),
        ("{options: {compress: 'true', max-file: 2}}", "needs max-size"),
        ("{options: {compress: 'true', max-size: 1m}}", "max-file of 2 or more"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(files: Files, written: str, what: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        logging(files, written)
    assert what in str(caught.value)
    assert caught.value.where
