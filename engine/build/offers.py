"""Steps that caches at registries have: each is fetched when a build comes to it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from engine.build.cache import Cached, key_of
from engine.build.origin import told_to
from engine.errors import ImageProblem
from engine.images.cancelling import in_thread
from engine.kernel.record import Record

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.build.cache import StepCache
    from engine.build.progress import StepReport
    from engine.engine import Engine
    from engine.images.registry.pull_cache import RemoteCache

_KEY = re.compile("[0-9a-f]{64}")
_NOT_THERE = ("image-not-found", "unauthorized", "registry-unreachable", "foreign-cache")


class _Offer(Record):
    """One cache: its steps by key, each of a layer that it has, on the layer it was run on."""

    reference: str
    remote: RemoteCache
    steps: Mapping[str, Mapping[str, Any]]


class Offers:
    """The caches that a build was told of, in its order. One that fails is not asked again."""

    def __init__(self, engine: Engine, cache: StepCache) -> None:
        self._images, self._cache = engine.images, cache
        self._offers: list[_Offer] = []

    async def open(self, reference: str, report: StepReport) -> None:
        """Learn what a cache or an image has. Where nothing can be had of it, `report` is told."""
        try:
            remote = await in_thread(
                lambda tell: self._images.open_cache(reference, tell), told_to(report)
            )
            steps = _checked(remote)
        except ImageProblem as problem:
            report.note(_unused(reference, problem))
            return
        self._offers.append(_Offer(reference=reference, remote=remote, steps=steps))
        report.note(f"{len(steps)} steps")

    async def take(self, key: str, report: StepReport) -> Cached | None:
        """A step that one of them has: with its layer, it is in the cache here from now on."""
        for offer in tuple(self._offers):
            step = offer.steps.get(key)
            if step is None or not await self._fetched(offer, step["chain_id"], report):
                continue
            result = Cached(chain_id=step["chain_id"], created=step["created"])
            self._cache.add(key, step["record"], result)
            return result
        return None

    async def _fetched(self, offer: _Offer, chain: str | None, report: StepReport) -> bool:
        if chain is None:
            return True
        try:
            await in_thread(
                lambda tell: self._images.fetch_cached(offer.remote, chain, tell), told_to(report)
            )
        except ImageProblem as problem:
            report.note(_unused(offer.reference, problem))
            if offer in self._offers:  # another step may have come to the same
                self._offers.remove(offer)
            return False
        return True


def _unused(reference: str, problem: ImageProblem) -> str:
    mark = "" if problem.code in _NOT_THERE else "[Warning] "
    return f"{mark}no cache is taken from {reference}: {problem.what}"


def _checked(remote: RemoteCache) -> dict[str, Mapping[str, Any]]:
    """The steps by key. Raises ImageProblem if one is not of the layers beside it."""
    steps = remote.steps
    if not isinstance(steps, list) or not all(_fits(remote, step) for step in steps):
        raise ImageProblem("its steps do not fit its layers", code="invalid-cache")
    return {step["key"]: step for step in steps}


def _fits(remote: RemoteCache, step: object) -> bool:
    if not isinstance(step, dict):
        return False
    key, chain, record = step.get("key"), step.get("chain_id"), step.get("record")
    texts = isinstance(key, str) and isinstance(step.get("created"), str)
    if not texts or not _KEY.fullmatch(str(key)) or not isinstance(record, dict):
        return False
    if chain is None:
        return True
    if not isinstance(chain, str) or not remote.has(chain) or key_of(record) != key:
        return False
    return record.get("parent") == (remote.below(chain) or "")
