"""The images of an engine: fetched, sent, made, named, removed."""

from __future__ import annotations

import time

from engine.errors import ImageProblem
from engine.images.image import Image, silent
from engine.images.making import MadeImages
from engine.images.reference import parse_reference, parse_tag
from engine.images.rootfs import rootfs_image
from engine.images.source import parse_source
from engine.state.reserve import making_room

TYPE_CHECKING = False  # `typing` takes 3 ms
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import BinaryIO

    from engine.images.archives.save import Saved
    from engine.images.image import Progress
    from engine.images.registry.pull_cache import RemoteCache
    from engine.images.registry.push import Pushed
    from engine.images.removing import PrunedImages, PruneFilter
    from engine.images.source import Source
    from engine.images.usage import ImagesUsage
    from engine.images.verify import Damage


class Images(MadeImages):
    """The images under one root. All methods may be called from any thread, several at once."""

    # Fetching

    def ensure(
        self,
        reference: str,
        policy: str,
        progress: Progress = silent,
        platform: str | None = None,
    ) -> Image:
        """The image, fetched when `policy` asks for it.

        policy    missing (or if_not_present), always, never, daily, weekly, every_<duration>
        platform  what it has to be made for: linux/arm64; one that is here for another is fetched
                  anew

        Raises ImageProblem; with a policy of an interval, an image that is here is good enough
        when it cannot be refreshed, which `progress` is told.
        """
        from engine.images.policy import is_due, parse_interval

        interval_s = parse_interval(policy)
        found = self.find(reference)
        if policy == "never":
            return found or self.get(reference)
        if found is not None and platform is not None and not found.is_for(platform):
            found = None
        if found is not None and not is_due(interval_s, self._updated_at(reference)):
            return found
        try:
            return self.pull(reference, progress, platform)
        except ImageProblem as problem:
            if found is None or policy == "always":
                raise
            progress(reference, f"kept as it is: {problem}", None, None)
            return found

    async def ensure_in_thread(
        self,
        reference: str,
        policy: str,
        progress: Progress = silent,
        platform: str | None = None,
    ) -> Image:
        """`ensure` from an event loop. Cancelled, it stops fetching before it returns."""
        from engine.images.cancelling import in_thread

        return await in_thread(
            lambda tell: self.ensure(reference, policy, tell, platform), progress
        )

    def pull(
        self, reference: str, progress: Progress = silent, platform: str | None = None
    ) -> Image:
        """Fetch an image from where its reference says, whatever is here already. What `progress`
        raises stops it. `platform` as for `ensure`."""
        source = parse_source(reference)
        if source.kind == "rootfs":
            return rootfs_image(source.name, source.path)
        with self._store.hold():
            return self._exactly(self._fetch(source, progress, platform))

    def push(self, reference: str, progress: Progress = silent) -> Pushed:
        """Send the image of that name to the registry that is in its name.

        Raises ImageProblem: `no-such-image`, what the registry says.
        """
        from engine.images.registry.push import push

        name = parse_reference(reference)
        if name.digest is not None:
            raise ImageProblem(
                f"{name.familiar} is pushed by its tag, not by a digest", code="invalid-reference"
            )
        image = self._by_source(parse_source(reference))
        if image is None:
            raise ImageProblem(
                f"an image named {name.familiar} is not here",
                hint=f"`buoy image tag IMAGE {name.familiar}` gives one that name",
                code="no-such-image",
            )
        with self._store.hold():
            return push(self._store, image, name, progress)

    def open_cache(self, reference: str, progress: Progress = silent) -> RemoteCache:
        """The steps of builds that a cache or an image at a registry has; its layers stay there.

        Raises ImageProblem: what a registry says, `invalid-cache`, `foreign-cache`.
        """
        from engine.images.registry.pull_cache import open_cache

        with self._store.hold():
            return open_cache(self._store, parse_reference(reference), progress)

    def fetch_cached(self, cache: RemoteCache, chain_id: str, progress: Progress = silent) -> None:
        """Have a layer of such a cache, and those below it, here. Raises ImageProblem."""
        from engine.images.assemble import assemble

        with self._store.hold():
            assemble(self._store, cache.sources(chain_id), progress)

    def push_cache(
        self,
        reference: str,
        steps: Sequence[Mapping[str, object]],
        chain_ids: Sequence[str],
        progress: Progress = silent,
    ) -> str:
        """Send steps of builds and their layers (each after the one below it) to a registry; the
        digest of the manifest. Raises ImageProblem."""
        from engine.images.registry.push_cache import push_cache

        with self._store.hold():
            return push_cache(self._store, parse_reference(reference), steps, chain_ids, progress)

    def tags(self, name: str, progress: Progress = silent) -> Sequence[str]:
        """References to all tags that the registry has of a repository, which `name` is without a
        tag. Raises ImageProblem."""
        from engine.images.registry.tags import list_tags

        return list_tags(parse_reference(name), progress)

    async def push_in_thread(self, reference: str, progress: Progress = silent) -> Pushed:
        """`push` from an event loop. Cancelled, it stops sending before it returns."""
        from engine.images.cancelling import in_thread

        return await in_thread(lambda tell: self.push(reference, tell), progress)

    def load(self, path: str, progress: Progress = silent) -> Sequence[Image]:
        """Every image of a docker-archive, or of an OCI layout: a directory or a tar, which may
        be compressed; `-` is standard input. Their names are those in the archive."""
        from engine.images.archives.load import load

        with self._store.hold():
            return [self._exactly(found) for found in load(self._store, path, progress)]

    def import_tar(
        self,
        path: str,
        reference: str | None = None,
        config: Mapping[str, object] | None = None,
        progress: Progress = silent,
        *,
        message: str | None = None,
    ) -> Image:
        """An image of one layer from the tar of a root filesystem: a file, the URL of one, or `-`
        for standard input.

        config   the `config` object of an image config: {"Cmd": ["sh"], "Env": [...]}
        message  the comment in its history; None: where it is from
        """
        from engine.images.archives.load import import_tar

        name = () if reference is None else (parse_tag(reference),)
        with self._store.hold():
            return self._exactly(
                import_tar(self._store, path, name, config or {}, message, progress)
            )

    def annotate(self, image_id: str, annotations: Mapping[str, str]) -> None:
        """Have annotations in the manifest that is pushed of an image, and saved as `oci`. Raises
        ImageProblem."""
        from engine.images.annotate import annotate

        with self._store.hold():
            annotate(self._store, self.get(image_id), annotations)

    # Naming and removing

    def tag(self, image_id: str, reference: str) -> None:
        """`reference` means this image from now on."""
        name = parse_tag(reference)
        if not self._records.add_reference(name, self.get(image_id).id):
            raise _not_kept(image_id)

    def remove(self, reference: str, *, force: bool = False) -> Sequence[str]:
        """Remove a name, and with its last name the image and what only it needed.

        Lines as Docker prints them: `Untagged: mysql:8`, `Deleted: sha256:...`. An id stands for
        all names of the image. Raises ImageProblem `image-in-use` for an image of a container:
        with `force`, only its names go; `several-names` for an id with more than one, unless
        forced.
        """
        from engine.images.removing import remove

        name = self._own_name(reference)
        image = self.get(reference)
        if self._records.image_row(image.id) is None:
            raise _not_kept(reference)
        with making_room(self._roots.root):
            return remove(self._store, image, reference, name, force=force)

    def prune(self, wanted: PruneFilter, *, every: bool) -> PrunedImages:
        """Remove the images without a name that no container was made from; with `every`, those
        that have one, too."""
        from engine.images.removing import prune

        with making_room(self._roots.root):
            return prune(self._store, self.list(), wanted, every=every)

    # Looking into

    def usage(self) -> ImagesUsage:
        """What all images take on the disk."""
        from engine.images.usage import observe_images_usage

        return observe_images_usage(self._store)

    def verify(self, image: Image) -> Sequence[Damage]:
        """All that is wrong with what is kept of an image."""
        from engine.images.verify import verify

        with self._store.hold():
            return verify(self._store, image)

    def repair(self, image: Image, damage: Sequence[Damage], progress: Progress = silent) -> None:
        """Have what is damaged again. Raises ImageProblem where that cannot be."""
        from engine.images.verify import repair

        with self._store.hold():
            repair(self._store, image, damage, progress)

    def select_to_save(self, references: Sequence[str]) -> Sequence[Saved]:
        """The images that references mean, with the names that an archive gives them: a name
        without a tag means all its tags, an id has no name. Raises ImageProblem."""
        from engine.images.archives.save import selected

        return selected(self, references)

    def save(self, wanted: Sequence[Saved], out: BinaryIO, kind: str = "docker-archive") -> None:
        """Write images as an archive.

        kind  docker-archive, or oci: with the blobs and digests that they came with
        """
        from engine.images.archives.save import save

        with self._store.hold():
            save(self._store, wanted, out, kind)

    # Inside

    def _fetch(self, source: Source, progress: Progress, platform: str | None) -> str:
        if source.kind == "registry":
            from engine.images.fetch import fetch
            from engine.images.platform import parse_platform

            wanted = parse_platform(platform) if platform else None
            return fetch(self._store, parse_reference(source.name), progress, wanted)
        from engine.images.archives.load import load_one

        return load_one(self._store, source, progress)

    def _updated_at(self, reference: str) -> float:
        row = self._records.find_reference(parse_source(reference).name)
        return time.time() if row is None else float(row["updated_at"])


def _not_kept(reference: str) -> ImageProblem:
    """Of a `rootfs:` directory, and of what has just been removed."""
    return ImageProblem(f"the image {reference} is not in the store", code="no-such-image")
