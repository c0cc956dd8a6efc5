"""What entries of `cache_from` and `cache_to` come to."""

from __future__ import annotations

from pathlib import Path

import pytest

from compose.reconcile.build_spec import cache_sources, cache_targets, has_inline_cache
from compose.source.cache_entries import is_used
from engine import CacheTarget

HERE = str(Path.cwd())


@pytest.mark.parametrize(
    ("entry", "place"),
    [
        ("name:1", ("name:1",)),
        ("type=registry,ref=host:5000/name", ("host:5000/name",)),
        ("type=local,src=a", (f"{HERE}/a",)),
        ("type=local", ()),
        ("type=gha", ()),
    ],
)
def test_sources(entry: str, place: tuple[str, ...]) -> None:
    assert cache_sources([entry]) == place


@pytest.mark.parametrize(
    ("entry", "target"),
    [
        ("name", {"name": CacheTarget()}),
        ("type=registry,ref=a/b:1,mode=max", {"a/b:1": CacheTarget(whole=True)}),
        ("type=local,dest=/a,mode=min,ignore-error=true", {"/a": CacheTarget(may_fail=True)}),
        ("type=inline", {}),
    ],
)
def test_targets(entry: str, target: dict[str, CacheTarget]) -> None:
    assert cache_targets([entry]) == target
    assert has_inline_cache([entry]) == (entry == "type=inline")


def test_what_is_kept_by_other_services_or_nowhere_does_not_count() -> None:
    assert [is_used("type=inline", key) for key in ("cache_from", "cache_to")] == [False, True]
    assert not is_used("type=gha", "cache_to")
    assert not is_used("type=local", "cache_from")
    assert not is_used("type=local,src=a", "cache_to")
    assert is_used("name", "cache_from")
