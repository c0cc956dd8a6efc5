"""Where layers lie. Apart from the store, which takes 30 ms to import: to find an image, the
place of its layers is enough."""

from __future__ import annotations

from engine.images.digest import parse_digest

TYPE_CHECKING = False  # `typing` takes 3 ms
if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.state.paths import Roots


def layer_directory(roots: Roots, chain_id: str) -> str:
    """The directory of a layer, which is there if the layer is. Raises ImageProblem."""
    return f"{roots.layers}/{parse_digest(chain_id).partition(':')[2]}"


def lower_directories(roots: Roots, chain_ids: Sequence[str]) -> tuple[str, ...]:
    """Those of a stack of layers (lowest first) for an overlay mount: top first."""
    return tuple(layer_directory(roots, chain_id) for chain_id in reversed(chain_ids))
