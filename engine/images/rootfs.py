"""`rootfs:/path`: a directory as an image, used in place and read-only; nothing is stored."""

from __future__ import annotations

import os

from engine.errors import ImageProblem
from engine.images.config import ImageConfig
from engine.images.image import Image
from engine.images.platform import host_platform

DEFAULT_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def rootfs_image(name: str, path: str) -> Image:
    """The image `name` on the directory `path`. Raises ImageProblem if there is no such one."""
    if not os.path.isdir(path):
        raise ImageProblem(
            f"{path} is not a directory",
            hint="rootfs: takes the root directory of a file system, as in rootfs:/",
            code="no-such-image",
        )
    platform = host_platform()
    return Image(
        id=name,
        references=(name,),
        config=ImageConfig(env=(DEFAULT_PATH,), cmd=("/bin/sh",)),
        chain_ids=(),
        lowers=(path,),
        size_bytes=0,
        created="",
        architecture=platform.architecture,
        os=platform.os,
        variant=platform.variant,
    )
