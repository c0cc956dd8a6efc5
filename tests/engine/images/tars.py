"""Tars and images written for tests, by the standard library: an independent writer."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import tarfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.images.manifest import OCI_MANIFEST

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, "amd64")


def entry(name: str, kind: bytes = tarfile.REGTYPE, **fields: object) -> tarfile.TarInfo:
    """A member; `data` is its content."""
    info = tarfile.TarInfo(name)
    info.type = kind
    info.mode = 0o755 if kind == tarfile.DIRTYPE else 0o644
    for field, value in fields.items():
        setattr(info, field, value)
    return info


def directory(name: str, **fields: object) -> tarfile.TarInfo:
    return entry(name, tarfile.DIRTYPE, **fields)


def symlink(name: str, target: str) -> tarfile.TarInfo:
    return entry(name, tarfile.SYMTYPE, linkname=target)


def hard_link(name: str, target: str) -> tarfile.TarInfo:
    return entry(name, tarfile.LNKTYPE, linkname=target)


def tar(*members: tarfile.TarInfo | tuple[tarfile.TarInfo, bytes] | str, **options: int) -> bytes:
    """A tar of members; a tuple carries content, a string is an empty file of that name."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=options.get("format", 2)) as archive:
        for member in members:
            if isinstance(member, str):
                member = entry(member)
            info, data = member if isinstance(member, tuple) else (member, b"")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def file(name: str, data: bytes | str, **fields: object) -> tuple[tarfile.TarInfo, bytes]:
    content = data.encode() if isinstance(data, str) else data
    return entry(name, tarfile.REGTYPE, **fields), content


def digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


@dataclass(frozen=True)
class Built:
    """An image as blobs: what a registry or an OCI layout holds."""

    manifest: bytes
    config: bytes
    blobs: Mapping[str, bytes]

    @property
    def digest(self) -> str:
        return digest(self.manifest)


def build(
    layers: Sequence[bytes],
    *,
    compress: bool = True,
    media_type: str = "application/vnd.oci.image.layer.v1.tar+gzip",
    architecture: str = ARCHITECTURE,
    **config: object,
) -> Built:
    """An image of uncompressed `layers`."""
    document = {
        "architecture": architecture,
        "os": "linux",
        "config": config,
        "rootfs": {"type": "layers", "diff_ids": [digest(layer) for layer in layers]},
    }
    config_data = json.dumps(document).encode()
    stored = [gzip.compress(layer, 1, mtime=0) if compress else layer for layer in layers]
    manifest = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": {
            "mediaType": "application/vnd.oci.image.config.v1+json",
            "digest": digest(config_data),
            "size": len(config_data),
        },
        "layers": [
            {"mediaType": media_type, "digest": digest(blob), "size": len(blob)} for blob in stored
        ],
    }
    blobs = {digest(blob): blob for blob in (*stored, config_data)}
    return Built(json.dumps(manifest).encode(), config_data, blobs)
