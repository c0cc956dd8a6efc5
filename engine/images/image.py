"""An image that is here."""

from __future__ import annotations

from engine.images.reference import repository_tag
from engine.kernel.record import Record

TYPE_CHECKING = False  # `typing` takes 3 ms
if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.images.config import ImageConfig

    # (subject, text, bytes done, bytes in all): subject is a reference, or 12 digits of a layer's
    # digest. Called from several threads, and at least once a second with (0, None) where nothing
    # is known of how far it is: what it raises stops the work.
    Progress = Callable[[str, str, int | None, int | None], None]


class Image(Record):
    """An image that is here.

    id               digest of its config, `sha256:<hex>`; for a directory its `rootfs:/path`
    references       complete names: docker.io/library/mysql:8
    chain_ids        its layers, lowest first
    lowers           their directories for an overlay mount, top first
    size_bytes       of the unpacked layers
    created          RFC 3339, as the image says; empty if it does not
    manifest_digest  None for images made here
    """

    id: str
    references: tuple[str, ...]
    config: ImageConfig
    chain_ids: tuple[str, ...]
    lowers: tuple[str, ...]
    size_bytes: int
    created: str
    architecture: str
    os: str
    variant: str = ""
    manifest_digest: str | None = None

    def is_for(self, platform: str) -> bool:
        """Whether it runs on `platform`: linux/arm64. Raises ImageProblem on what is none."""
        from engine.images.platform import candidates, parse_platform, platform_of

        made_for = {"os": self.os, "architecture": self.architecture, "variant": self.variant}
        return platform_of(made_for) in candidates(parse_platform(platform))

    @property
    def repository_tags(self) -> tuple[tuple[str, str], ...]:
        """The names as people write them: ("mysql", "8"); a name by digest or of another source
        has an empty tag."""
        return tuple(map(repository_tag, self.references))


def silent(subject: str, text: str, done_bytes: int | None, total_bytes: int | None) -> None:
    """A Progress for nobody."""
