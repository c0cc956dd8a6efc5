"""The build cache of one build, to be used elsewhere (engine.md D7.4).

In a directory, `layers.tar` is an OCI archive of images that have the layers, and `steps.json` says
which step made which. `cache_to` writes it, `cache_from` reads it; it is not BuildKit's format.
What registries have is read by `offers`.
"""

from __future__ import annotations

import asyncio
import json
import os
from typing import TYPE_CHECKING

from engine.build.cache import Cached
from engine.build.origin import told_to
from engine.errors import BuildProblem, ImageProblem
from engine.images.cancelling import in_thread

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from engine.build.cache import StepCache
    from engine.build.progress import StepReport
    from engine.engine import Engine

_LAYERS, _STEPS = "layers.tar", "steps.json"


async def import_cache(engine: Engine, cache: StepCache, directory: str) -> int:
    """Learn the steps that a directory has; how many. None where it has nothing yet.

    The caller holds the store. Raises BuildProblem for what cannot be read.
    """
    try:
        with open(f"{directory}/{_STEPS}", encoding="utf-8") as file:  # noqa: ASYNC230 - small
            steps = json.load(file)
        images = await asyncio.to_thread(engine.images.load, f"{directory}/{_LAYERS}")
    except FileNotFoundError:
        return 0
    except (OSError, ValueError, ImageProblem) as error:
        raise BuildProblem(f"the cache {directory} cannot be read: {error}", code="cache") from None
    known = 0
    for step in steps:
        if step["chain_id"] is None or engine.images.has_layer(step["chain_id"]):
            result = Cached(chain_id=step["chain_id"], created=step["created"])
            cache.add(step["key"], step["record"], result)
            known += 1
    for image in images:
        engine.images.remove(image.id)  # its layers are the cache's now
    return known


async def export_cache(
    engine: Engine, cache: StepCache, directory: str, chains: Sequence[Sequence[str]]
) -> None:
    """Write the steps that this build used, and the layers of these chains (lowest first)."""
    layers = {chain for one in chains for chain in one}
    steps = [step for step in cache.used() if step["chain_id"] in (None, *layers)]
    os.makedirs(directory, exist_ok=True)
    await asyncio.to_thread(_write_layers, engine, f"{directory}/{_LAYERS}", chains)
    half = f"{directory}/.{_STEPS}"
    with open(half, "w", encoding="utf-8") as file:  # noqa: ASYNC230 - small
        json.dump(steps, file)
    os.rename(half, f"{directory}/{_STEPS}")


async def push_cache(
    engine: Engine,
    cache: StepCache,
    reference: str,
    chains: Sequence[Sequence[str]],
    report: StepReport,
) -> None:
    """Send the same to a registry. Raises ImageProblem."""
    layers = tuple(dict.fromkeys(chain for one in chains for chain in one))
    steps = brief_steps(cache, layers)
    digest = await in_thread(
        lambda tell: engine.images.push_cache(reference, steps, layers, tell), told_to(report)
    )
    report.note(f"writing cache manifest {digest}")


def brief_steps(cache: StepCache, chains: Sequence[str]) -> list[dict[str, Any]]:
    """Those that this build used and that these layers are of, without the names of files."""
    wanted = (None, *chains)
    return [
        {**step, "record": {k: v for k, v in step["record"].items() if k != "files"}}
        for step in cache.used()
        if step["chain_id"] in wanted and step["created"]  # others are no steps
    ]


def _write_layers(engine: Engine, path: str, chains: Sequence[Sequence[str]]) -> None:
    different = dict.fromkeys(tuple(chain) for chain in chains if chain)
    config = {"config": {"Labels": {"buoy.build": "cache"}}}  # no image that anybody has
    images = [engine.images.create(config, chain) for chain in different]
    half = f"{path}.half"
    try:
        with open(half, "wb") as file:
            wanted = engine.images.select_to_save([image.id for image in images])
            engine.images.save(wanted, file, "oci")
        os.rename(half, path)
    finally:
        for image in images:
            engine.images.remove(image.id)
