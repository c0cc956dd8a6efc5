"""Images of real content to measure with: Debian trees by mmdebstrap, made once and cached.

`small` is Debian's minimal base, 170 MB in one layer; `large` has compilers, Git and an editor on
top, 580 MB in three layers.
"""

from __future__ import annotations

import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.docker_archive import write_archive
from tests.images import cache_directory, locked

if TYPE_CHECKING:
    from collections.abc import Sequence

SMALL, LARGE = "bench/small:latest", "bench/large:latest"
_PACKAGES = "build-essential,git,python3,vim,curl,ca-certificates"
_LAYERS = (("",), ("usr/lib/",), ("usr/share/", "usr/include/", "var/"))  # by where a file lies


def archives() -> dict[str, Path]:
    """Both images as docker-archives, by their names."""
    minimal = ["mmdebstrap", "--quiet", "--variant=minbase"]
    return {
        SMALL: _archive(SMALL, [*minimal, "bookworm"], 1),
        LARGE: _archive(LARGE, [*minimal, f"--include={_PACKAGES}", "bookworm"], len(_LAYERS)),
    }


def _archive(reference: str, command: Sequence[str], layers: int) -> Path:
    path = cache_directory() / f"{reference.partition(':')[0].replace('/', '-')}.tar"
    with locked(path.with_suffix(".lock")):
        if not path.exists():
            with tempfile.TemporaryDirectory(dir=path.parent) as directory:
                tree = Path(directory, "tree.tar")
                subprocess.run([*command, tree], check=True)
                half = Path(directory, "archive.tar")
                write_archive(half, {reference: [tree] if layers == 1 else _split(tree)})
                half.rename(path)
    return path


def _split(tree: Path) -> list[Path]:
    """The tar's members in several; directories and hard links go where their content goes."""
    paths = [tree.with_name(f"layer{number}.tar") for number, _ in enumerate(_LAYERS)]
    layers = [tarfile.open(path, "w", format=tarfile.PAX_FORMAT) for path in paths]  # noqa: SIM115
    with tarfile.open(tree) as source:
        for member in source:
            name = (member.linkname if member.islnk() else member.name).removeprefix("./")
            fits = [n for n, places in enumerate(_LAYERS) if name.startswith(places)]
            layers[fits[-1]].addfile(member, source.extractfile(member) if member.isreg() else None)
    for layer in layers:
        layer.close()
    return paths
