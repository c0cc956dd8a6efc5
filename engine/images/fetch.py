"""Fetching an image: from its registry, or, for Debian and Ubuntu, from their packages."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from engine.images.bootstrap import bootstrap, find_recipe
from engine.images.platform import host_platform
from engine.images.registry.errors import RegistryUnreachable
from engine.images.registry.pull import pull
from engine.state.locks import locked

if TYPE_CHECKING:
    from engine.images.image import Progress
    from engine.images.platform import Platform
    from engine.images.reference import Reference
    from engine.images.store import Store

_RECENT_S = 24 * 3600.0
_unreachable: dict[str, RegistryUnreachable] = {}  # by domain, for the life of the process


def fetch(
    store: Store, reference: Reference, progress: Progress, platform: Platform | None = None
) -> str:
    """Have the image that `reference` means; its id. The caller holds the store.

    A registry that could not be reached is not tried again by this process: a project of ten
    services would wait ten times. Raises ImageProblem.
    """
    try:
        if reference.domain in _unreachable:
            raise _unreachable[reference.domain]
        return pull(store, reference, progress, platform)
    except RegistryUnreachable as problem:
        _unreachable[reference.domain] = problem
        recipe = find_recipe(reference) if platform in (None, host_platform()) else None
        if recipe is None:
            raise
        name, failed = reference.familiar, f"{problem.host} cannot be reached"
        with locked(f"{store.temporary}/bootstrap.lock"):  # builds side by side want the same base
            if (present := _recent(store, reference)) is not None:
                progress(name, f"{failed}: the {name} that is here is kept", None, None)
                return present
            how = f"from {recipe.distribution} packages with mmdebstrap, about 15 s"
            progress(name, f"{failed}: building {name} {how}", None, None)
            return bootstrap(store, reference, recipe, progress)


def _recent(store: Store, reference: Reference) -> str | None:
    """The image of that name, if it came here within a day."""
    row = store.records.find_reference(str(reference))
    if row is None or time.time() - row["updated_at"] > _RECENT_S:
        return None
    return str(row["image_id"])
