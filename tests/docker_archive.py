"""docker-archives of any layers: what `docker load` takes."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.images import ARCHITECTURES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def write_archive(path: Path, images: Mapping[str, Sequence[Path | bytes]]) -> None:
    """Images by reference, each of layers (lowest first) that are tars, in memory or in files."""
    with tarfile.open(path, "w") as archive:
        entries = []
        written: set[str] = set()
        for reference, layers in images.items():
            digests = [_digest(layer) for layer in layers]
            for digest, layer in zip(digests, layers, strict=True):
                if digest not in written:
                    _add(archive, f"{digest}/layer.tar", layer)
                written.add(digest)
            config = _config(digests)
            name = f"{hashlib.sha256(config).hexdigest()}.json"
            _add(archive, name, config)
            names = [f"{digest}/layer.tar" for digest in digests]
            entries.append({"Config": name, "RepoTags": [reference], "Layers": names})
        _add(archive, "manifest.json", json.dumps(entries).encode())


def _digest(layer: Path | bytes) -> str:
    if isinstance(layer, bytes):
        return hashlib.sha256(layer).hexdigest()
    with layer.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _add(archive: tarfile.TarFile, name: str, content: Path | bytes) -> None:
    if isinstance(content, Path):
        archive.add(content, name)
        return
    info = tarfile.TarInfo(name)
    info.size = len(content)
    archive.addfile(info, io.BytesIO(content))


def _config(digests: Sequence[str]) -> bytes:
    document = {
        "architecture": ARCHITECTURES.get(os.uname().machine, os.uname().machine),
        "os": "linux",
        "config": {"Cmd": ["sh"]},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}" for digest in digests]},
    }
    return json.dumps(document).encode()
