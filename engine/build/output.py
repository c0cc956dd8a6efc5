"""The root of a built image as a directory (`--output type=local`)."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from engine.build.copying import CopyFailed, copy_request, perform, scratch
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
        target = {**place.layers(), "upper": directory}
        owner = f"{os.getuid()}:{os.getgid()}"
        request = copy_request(target, source.layers(), ["."], "/", owner)
        try:
            await perform(request)
        except CopyFailed as error:
            raise BuildProblem(f"{directory}: {error}", code="output") from None
