"""`--platform` of verbs on an image: it is here for one platform, and that has to be it."""

from __future__ import annotations

from compose.ui.images import format_platform
from engine.errors import ImageProblem

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from engine import Image


def add_platform(parser: argparse.ArgumentParser) -> None:
    """The option."""
    text = "the one it has to be for: an image is here for one alone"
    parser.add_argument("--platform", metavar="OS/ARCH[/VARIANT]", help=text)


def check_platform(image: Image, name: str, platform: str | None) -> None:
    """Raise ImageProblem (`no-such-platform`) where it is for another; None: any will do."""
    if platform is not None and not image.is_for(platform):
        raise ImageProblem(
            f"{name} is here for {format_platform(image)}, not for {platform}",
            code="no-such-platform",
        )
