"""Sending the cache of a build: its layers, and as the config what they are of."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from engine.errors import ImageProblem
from engine.images.registry.push import push_artifact

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from engine.images.image import Progress
    from engine.images.reference import Reference
    from engine.images.store import Store

CACHE_CONFIG = "application/vnd.buoy.buildcache.config.v1+json"


def push_cache(
    store: Store,
    reference: Reference,
    steps: Sequence[Mapping[str, object]],
    chain_ids: Sequence[str],
    progress: Progress,
) -> str:
    """Have the registry know steps and their layers as `reference`; the digest of the manifest.

    chain_ids  each after the one below it

    The config has `steps` as they are, and `layers` in the order of the manifest's: `diff_id`, and
    `below`, the position of the layer that it lies on. The caller holds the store. Raises
    ImageProblem.
    """
    if reference.digest is not None:
        raise ImageProblem(
            f"{reference.familiar}: a cache is pushed by a tag, not by a digest",
            code="invalid-reference",
        )
    positions = {chain: position for position, chain in enumerate(chain_ids)}
    layers = []
    for chain in chain_ids:
        row = store.records.find_layer(chain)
        if row is None:
            raise ImageProblem(f"the layer {chain} is not here", code="no-such-layer")
        below = None if row.parent is None else positions[row.parent]
        layers.append({"diff_id": row.diff_id, "below": below})
    config = json.dumps({"layers": layers, "steps": steps}, separators=(",", ":")).encode()
    return push_artifact(store, reference, (CACHE_CONFIG, config), chain_ids, progress)
