"""Removing names and images, one at a time or all that nothing needs."""

from __future__ import annotations

import os
import time
from datetime import datetime

from engine.errors import ImageProblem
from engine.images.reference import familiar
from engine.images.usage import observe_images_usage
from engine.kernel.record import Record

TYPE_CHECKING = False  # `typing` takes 3 ms
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from engine.images.image import Image
    from engine.images.store import Store


_PATIENCE_S = 0.1  # what is small is off the disk when the command returns


class PruneFilter(Record):
    """Which images, or what else there is to prune, are meant.

    until_s             those made before, in seconds since the epoch
    labels, not_labels  (key, value) that it has to have, or must not; None: any value
    """

    until_s: float | None = None
    labels: tuple[tuple[str, str | None], ...] = ()
    not_labels: tuple[tuple[str, str | None], ...] = ()

    def takes(self, labels: Mapping[str, str], made_s: float) -> bool:
        """Whether what has these labels, and was made then, is one of them."""
        return (
            (self.until_s is None or made_s < self.until_s)
            and all(_has(labels, *label) for label in self.labels)
            and not any(_has(labels, *label) for label in self.not_labels)
        )


class PrunedImages(Record):
    """What has been removed: lines as `Images.remove` has them, and bytes on the disk."""

    lines: tuple[str, ...] = ()
    freed_bytes: int = 0


def remove(store: Store, image: Image, asked: str, name: str | None, *, force: bool) -> list[str]:
    """`Images.remove`. name: the one to remove; None: the image was asked for by its id."""
    if name is None and len(image.references) > 1 and not force:
        names = ", ".join(map(familiar, image.references))
        raise ImageProblem(
            f"the image {asked} has several names: {names}",
            hint="remove them one by one, or use --force",
            code="several-names",
        )
    going = (name,) if name is not None else image.references
    if set(going) != set(image.references):
        return _untag(store, going)
    if store.records.remove_image(image.id, going):
        store.sweep(_PATIENCE_S)
        return _removed(image)
    users = store.records.containers_of(image.id)
    if users and not force:
        raise ImageProblem(
            f"the image {asked} is used by {', '.join(users)}",
            hint="remove the containers first, or use --force to take its name alone",
            code="image-in-use",
        )
    return _untag(store, going)


def prune(
    store: Store, images: Iterable[Image], wanted: PruneFilter, *, every: bool
) -> PrunedImages:
    """Remove the images that no container needs, and wait until they are off the disk.

    every  also those that have a name
    """
    before = observe_images_usage(store).pieces
    lines: list[str] = []
    for image in images:
        needed = image.references and not every
        if needed or not wanted.takes(image.config.labels, _created_s(image)):
            continue
        if store.records.remove_image(image.id, image.references):
            lines += _removed(image)
    store.sweep(wait_s=None, half_fetched=True)
    gone = (path for path in before if not os.path.lexists(path))
    return PrunedImages(lines=tuple(lines), freed_bytes=sum(before[path] for path in gone))


def _untag(store: Store, references: Sequence[str]) -> list[str]:
    for reference in references:
        store.records.remove_reference(reference)
    return [f"Untagged: {familiar(reference)}" for reference in references]


def _removed(image: Image) -> list[str]:
    return [*(f"Untagged: {familiar(one)}" for one in image.references), f"Deleted: {image.id}"]


def _created_s(image: Image) -> float:
    """Now where the image does not say."""
    try:
        return datetime.fromisoformat(image.created).timestamp()
    except ValueError:
        return time.time()


def _has(labels: Mapping[str, str], key: str, value: str | None) -> bool:
    return key in labels and value in (None, labels[key])
