"""The cache of a build at a registry, of its own or within an image: read, not believed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.errors import ImageProblem
from engine.images.config import INLINE_CACHE, parse_config_document, parse_object
from engine.images.digest import chain_id, parse_digest
from engine.images.manifest import parse_descriptor
from engine.images.registry.pull import Pull
from engine.images.registry.push_cache import CACHE_CONFIG

if TYPE_CHECKING:
    from typing import Any

    from engine.images.assemble import LayerSource
    from engine.images.image import Progress
    from engine.images.reference import Reference
    from engine.images.store import Store

_OF_BUILDKIT = "application/vnd.buildkit.cacheconfig.v0"


class RemoteCache:
    """Layers that can be had by the chain ids that they will have here.

    steps  what was said of them, unchecked JSON
    """

    def __init__(self, steps: object) -> None:
        self.steps = steps
        self._layers: dict[str, tuple[str | None, LayerSource]] = {}

    def add(self, source: LayerSource, below: str | None) -> str:
        """Offer a layer that lies on the chain `below`; its chain id."""
        chain = chain_id(below, source.diff_id)
        self._layers[chain] = below, source
        return chain

    def has(self, chain: str) -> bool:
        """Whether it is offered."""
        return chain in self._layers

    def below(self, chain: str) -> str | None:
        """The chain id that a layer lies on; None at the bottom."""
        return self._layers[chain][0]

    def sources(self, chain: str) -> list[LayerSource]:
        """A layer and all below it, lowest first."""
        found = []
        wanted: str | None = chain
        while wanted is not None:
            wanted, source = self._layers[wanted]
            found.append(source)
        return found[::-1]


def open_cache(store: Store, reference: Reference, progress: Progress) -> RemoteCache:
    """What is at `reference`; an image without steps is a cache without them. The layers are
    fetched by the sources later, for which the caller holds the store.

    Raises ImageProblem: `foreign-cache`, `invalid-cache`, what `pull` raises.
    """
    return _CachePull(store, reference, progress, None).open()


class _CachePull(Pull):
    def open(self) -> RemoteCache:
        data, _ = self._raw_document(self._reference.selector, self._reference.digest)
        if _OF_BUILDKIT.encode() in data:
            raise ImageProblem(
                f"{self._reference.familiar} is a cache in BuildKit's own form ({_OF_BUILDKIT})",
                code="foreign-cache",
            )
        document = parse_object(data, _invalid)
        config = document.get("config")
        if isinstance(config, dict) and config.get("mediaType") == CACHE_CONFIG:
            return self._own(document)
        return self._inline()

    def _own(self, document: dict[str, Any]) -> RemoteCache:
        config = parse_object(self._config(parse_descriptor(document["config"])), _invalid)
        blobs, layers = document.get("layers"), config.get("layers")
        if not isinstance(blobs, list) or not isinstance(layers, list) or len(blobs) != len(layers):
            raise _invalid("its manifest and its config differ in their layers")
        cache = RemoteCache(config.get("steps"))
        chains: list[str] = []
        for blob, layer in zip(map(parse_descriptor, blobs), layers, strict=True):
            below = layer.get("below") if isinstance(layer, dict) else -1
            if below is not None and not (type(below) is int and 0 <= below < len(chains)):
                raise _invalid("a layer does not lie on one before it")
            source = self._source(blob, parse_digest(layer.get("diff_id")))
            chains.append(cache.add(source, None if below is None else chains[below]))
        return cache

    def _inline(self) -> RemoteCache:
        _, manifest, _ = self._manifest()
        config = self._config(manifest.config)
        cache = RemoteCache(parse_config_document(config).get(INLINE_CACHE, []))
        below = None
        for source in self._sources(manifest, config):
            below = cache.add(source, below)
        return cache


def _invalid(why: str) -> ImageProblem:
    return ImageProblem(f"the cache cannot be used: {why}", code="invalid-cache")
