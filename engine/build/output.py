"""The root of a built image as a directory (`--output type=local`)."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from engine.build.copying import CopyFailed, perform, scratch
from engine.errors import BuildProblem

if TYPE_CHECKING:
    from engine.engine import Engine
    from engine.images.image import Image


async def export_tree(engine: Engine, image: Image, directory: str) -> None:
    """Put all files of the image into a directory, beside and over what is there, as files of
    whoever asks. Nothing leads out of it. Raises BuildProblem.

    directory  absolute
    """
    os.makedirs(directory, exist_ok=True)
    temporary = engine.roots.temporary
    with (
        engine.images.hold(),
        scratch(temporary, image.lowers) as source,
        scratch(temporary, ()) as place,
    ):
        request = {
            "do": "copy",
            "target": {**place.layers(), "upper": directory},
            "source": source.layers(),
            "sources": ["."],
            "to": "/",
            "owner": f"{os.getuid()}:{os.getgid()}",
            "mode": None,
            "unpack": False,
            "ignore": [],
            "exclude": [],
            "parents": False,
        }
        try:
            await perform(request)
        except CopyFailed as error:
            raise BuildProblem(f"{directory}: {error}", code="output") from None
