"""The same images unpacked by Buoy, by dockerd and by umoci: do the trees differ?

    python -m tests.bench.trees

Names, kinds, modes, owners, times, devices, content, links and extended attributes of every file
of Debian's minimal base, a larger tree in three layers, the images of the samples (where the tests
have built them) and layers that are legal and seldom. Prints each difference.
"""

from __future__ import annotations

import contextlib
import functools
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from engine.images.diff import layer_tar
from engine.images.images import Images
from engine.state.paths import Roots
from tests.bench.image_files import archives
from tests.docker_archive import write_archive
from tests.engine.images.odd_layers import odd_images
from tests.images import cache_directory, locked
from tests.other_unpackers import RefusedThere, docker_load, docker_tree, umoci_tree
from tests.peer import docker_peer
from tests.trees import differences, merged_tree

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.trees import Tree

MOST_SHOWN = 12


def main() -> None:
    """Unpack, compare and print."""
    with contextlib.ExitStack() as stack:
        temporary = tempfile.TemporaryDirectory(prefix="b-", dir="/dev/shm")
        directory = Path(stack.enter_context(temporary))
        images = Images(Roots(f"{directory}/root", f"{directory}/run"))
        stack.callback(images.close)
        peer = stack.enter_context(docker_peer("/dev/shm"))
        others: dict[str, Callable[[Path, str], Tree]] = {
            "dockerd": lambda archive, name: docker_tree(
                docker_load(peer, archive), directory, name
            ),
            "umoci": functools.partial(umoci_tree, directory),
        }
        for name, archive in all_archives(directory):
            images.load(str(archive))
            ours = merged_tree(images.get(name).lowers, directory)
            for party, unpack in others.items():
                show(f"{name}, {len(ours)} files, beside {party}", ours, unpack, archive, name)


def all_archives(directory: Path) -> Iterator[tuple[str, Path]]:
    """Images, and a docker-archive of each."""
    yield from archives().items()
    path = directory / "archive.tar"
    for name, layers in samples(directory):
        write_archive(path, {name: layers})
        yield name, path
    for case, tars in odd_images().items():
        write_archive(path, {f"odd/{case}:latest": tars})
        yield f"odd/{case}:latest", path


def samples(directory: Path) -> Iterator[tuple[str, list[Path]]]:
    """The images that running the samples has left in the cache of the tests."""
    images = Images(Roots(str(cache_directory() / "samples"), f"{directory}/run"))
    with locked(cache_directory() / "samples.lock"), contextlib.closing(images):
        for image in images.list():
            layers = [directory / f"layer{number}.tar" for number, _ in enumerate(image.lowers)]
            for layer, lower in zip(layers, reversed(image.lowers), strict=True):
                with layer.open("wb") as file:
                    file.writelines(layer_tar(lower))
            yield from ((name, layers) for name in image.references if "-" in name)


def show(
    about: str, ours: Tree, unpack: Callable[[Path, str], Tree], archive: Path, name: str
) -> None:
    """The verdict on one image."""
    try:
        lines = differences(ours, unpack(archive, name))
    except RefusedThere as error:
        print(f"{about}: refused there: {error}")
        return
    print(f"{about}: {len(lines) or 'no'} differences")
    for line in lines[:MOST_SHOWN]:
        print(f"    {line}")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
