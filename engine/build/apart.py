"""Layers of COPY --link and ADD --link, which are the same on whatever they lie: when what is below
one has changed it is taken as it is, and registries that have its blob are not sent it again."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from engine.build.cache import Cached, key_of
from engine.errors import ImageProblem

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from engine.build.job import Job

    Facts = Mapping[str, object]


async def find(job: Job, key: str, record: Facts, parents: Sequence[str]) -> Cached | None:
    """The step whose record it is, put on `parents` (chain ids, lowest first) and remembered under
    `key`; None where no such layer is here."""
    known = job.cache.record(_key_of(record)) or {}
    chain, created = str(known.get("chain", "")), str(known.get("created", ""))
    images = job.engine.images
    if not chain or not images.has_layer(chain):
        return None
    try:
        copy = await asyncio.to_thread(images.copy_layer_onto, chain, parents)
    except ImageProblem:  # damaged: it is made again
        return None
    found = Cached(chain_id=copy, created=created)
    job.cache.add(key, record, found)
    remember(job, record, found)
    return found


def remember(job: Job, record: Facts, made: Cached) -> None:
    """Where the layer of such a step is now."""
    if made.chain_id is not None:
        place = {"chain": made.chain_id, "created": made.created}
        job.cache.add_record(_key_of(record), place)


def _key_of(record: Facts) -> str:
    return key_of({**record, "step": "apart", "parent": ""})
