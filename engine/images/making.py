"""The images of an engine, and new ones made of layers: of what builds and commits have made."""

from __future__ import annotations

import os
from functools import cached_property

from engine.errors import ImageProblem
from engine.images.known import KnownImages
from engine.images.reference import parse_tag

TYPE_CHECKING = False  # `typing` takes 3 ms
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager

    from engine.images.image import Image
    from engine.images.store import Store


class MadeImages(KnownImages):
    """What changes the store from inside. All methods may be called from any thread."""

    @cached_property
    def _store(self) -> Store:
        """For all that changes something."""
        from engine.images.store import Store

        return Store(self._roots, self._records)

    def hold(self) -> AbstractContextManager[None]:
        """Layers are not removed while this is held, even if no image has them yet: for builds."""
        return self._store.hold()

    def alone(self) -> AbstractContextManager[bool]:
        """Nobody holds the store, nor can while this is held; False where somebody does."""
        return self._store.alone()

    def sweep(self) -> bool:
        """Remove layers that neither an image nor a step of a build has; False where that has to
        be left to a later one, because somebody holds the store."""
        return self._store.sweep()

    def finish_deleting(self) -> None:
        """What commands before this one have removed is off the disk, if that takes no longer than
        a second."""
        from engine.images.deleting import delete_doomed

        if os.path.isdir(self._roots.temporary):
            delete_doomed(self._roots.temporary)

    def add_layer(self, upper: str, parents: Sequence[str]) -> str:
        """Move an overlay's upper directory into the store, on top of `parents` (chain ids, lowest
        first); the new chain id. The caller holds the store until an image has the layer."""
        with self._store.hold():
            return self._store.layers.add(upper, parents)

    def copy_layer(self, upper: str, parents: Sequence[str], clean: Callable[[str], None]) -> str:
        """The same of a copy of `upper`, which stays as it is.

        clean  takes out of the copy what is not to be in the layer
        """
        with self._store.hold():
            return self._store.layers.copy(upper, parents, clean)

    def copy_layer_onto(self, chain_id: str, parents: Sequence[str]) -> str:
        """The chain id of a layer that is here once it is on `parents`, too. Raises ImageProblem
        where it is damaged."""
        with self._store.hold():
            return self._store.layers.copy_onto(chain_id, parents)

    def has_layer(self, chain_id: str) -> bool:
        """Whether the layer is here, complete."""
        return self._store.layers.has(chain_id)

    def create(
        self,
        config: Mapping[str, object],
        chain_ids: Sequence[str],
        references: Sequence[str] = (),
    ) -> Image:
        """An image from layers that are here. `config` is an OCI image config without `rootfs`;
        architecture and os are the host's where it does not say."""
        from engine.images.platform import host_platform

        platform = host_platform()
        whole = {"architecture": platform.architecture, "os": platform.os, **config}
        names = list(map(parse_tag, references))
        with self._store.hold():
            missing = [chain for chain in chain_ids if not self._store.layers.has(chain)]
            if missing:
                raise ImageProblem(f"the layer {missing[0]} is not here", code="no-such-layer")
            return self._exactly(self._store.create(whole, chain_ids, names))
