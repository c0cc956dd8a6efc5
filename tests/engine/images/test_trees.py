"""Layers unpacked by us, by dockerd 20.10 and by umoci are the same trees; where not, it is known.

`python -m tests.bench.trees` compares large images as well, and prints.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import pytest

from engine.images.images import Images
from engine.state.paths import Roots
from tests.docker_archive import write_archive
from tests.engine.images.odd_layers import odd_images
from tests.marks import needs_program, needs_root
from tests.other_unpackers import RefusedThere, docker_load, docker_tree, umoci_tree
from tests.peer import NoPeer, docker_peer
from tests.trees import differences, merged_tree

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.trees import Tree

    Unpack = Callable[[Path, str], Tree]

pytestmark = [
    needs_root,
    needs_program("umoci"),
    needs_program("skopeo"),
    pytest.mark.peer,
    pytest.mark.timeout(180),
]

# dockerd's tar-split keeps no archive with the same name twice, and it reads no old GNU sparse
# files; neither does umoci.
REFUSED = {
    ("dockerd", "repeated"): "duplicates of file paths not supported",
    ("dockerd", "sparse-gnu"): "unhandled tar header type 83",
    ("umoci", "sparse-gnu"): "unknown typeflag",
}
FOLLOWED = {
    *(
        f"{name}: {field}"
        for name in ("abs", "lib")
        for field in ("kind", "mode", "size", "content")
    ),
    *(f"{name}: only" for name in ("abs/lib", "abs/lib/b", "lib/a", "lib/c", "lib/c/d")),
    *(f"usr/lib/{name}: only" for name in ("a", "b", "c", "c/d")),
    *("abs: mtime_ns", "lib: mtime_ns", "usr: mtime_ns"),
}
DIFFERENT = {
    ("dockerd", "attributes"): {"early: mtime_ns"},  # before 1970 is 1970 there
    # Directories that a layer implies take their attributes from below with us and umoci.
    ("dockerd", "implied"): {
        *("srv: mode", "srv: uid", "srv: gid", "srv: mtime_ns", "srv/d: mode", "srv/d: mtime_ns"),
        "other: mtime_ns",  # in no archive: when it was made
    },
    ("umoci", "implied"): {"other: mtime_ns"},
    ("dockerd", "whiteouts"): {"kept: mtime_ns"},
    # `lib -> usr/lib` in one layer and `lib/a` in the next: dockerd's overlay has a directory then,
    # without what /lib held; ours follows the link, as umoci and containerd do.
    ("dockerd", "parents"): FOLLOWED,
    ("umoci", "parents"): {"usr: mtime_ns"},  # in no archive: when it was made
    # A hard link's own mode is set on the file there; with us and umoci the file decides.
    ("dockerd", "links"): {"a: mode", "b: mode"},
}


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """All that everybody takes in one, and one for each that somebody refuses."""
    directory = tmp_path_factory.mktemp("archives")
    alone = {case for _, case in REFUSED}
    found = {}
    for case, layers in odd_images().items():
        if case in alone:
            found[case] = directory / f"{case}.tar"
            write_archive(found[case], {name(case): layers})
        else:
            found[case] = directory / "all.tar"
    rest = {name(case): layers for case, layers in odd_images().items() if case not in alone}
    write_archive(directory / "all.tar", rest)
    return found


@pytest.fixture(scope="module")
def ours(
    archives: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Tree]:
    """What we make of a case."""
    directory = tmp_path_factory.mktemp("ours")
    images = Images(Roots(f"{directory}/root", f"{directory}/run"))
    for archive in set(archives.values()):
        images.load(str(archive))
    images.close()
    return lambda case: merged_tree(images.get(name(case)).lowers, directory)


@pytest.fixture(scope="module", params=["dockerd", "umoci"])
def other(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Unpack]]:
    """Another one that unpacks, and its name."""
    directory = tmp_path_factory.mktemp("other")
    if request.param == "umoci":
        yield "umoci", functools.partial(umoci_tree, directory)
        return
    try:
        with docker_peer() as peer:
            load = functools.cache(functools.partial(docker_load, peer))
            yield "dockerd", lambda archive, name: docker_tree(load(archive), directory, name)
    except NoPeer as why:
        pytest.skip(str(why))


@pytest.mark.parametrize("case", list(odd_images()))
def test_a_layer_is_the_same_tree(
    other: tuple[str, Unpack], ours: Callable[[str], Tree], archives: dict[str, Path], case: str
) -> None:
    party, unpack = other
    if (party, case) in REFUSED:
        with pytest.raises(RefusedThere, match=REFUSED[party, case]):
            unpack(archives[case], name(case))
        return
    lines = differences(ours(case), unpack(archives[case], name(case)))
    found = {" ".join(line.split(" ")[:2]) for line in lines}
    assert found == DIFFERENT.get((party, case), set())


def name(case: str) -> str:
    return f"odd/{case}:latest"
