"""Artifacts of registries that are no images: small files with a type each."""

from __future__ import annotations

from engine.errors import ImageProblem
from engine.images.config import parse_object
from engine.images.digest import sha256, verify
from engine.images.manifest import OCI_MANIFEST, parse_descriptor
from engine.images.reference import Reference, parse_reference
from engine.images.registry.http import read_body
from engine.images.registry.transport import Transport
from engine.kernel.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.images.manifest import Descriptor


class ArtifactFile(Record):
    """One layer of an artifact, as it is."""

    media_type: str
    annotations: Mapping[str, str]
    data: bytes


class Artifact(Record):
    """What a reference to an artifact stands for.

    digest  of its manifest
    type    its artifactType, or else the type of its config
    """

    digest: str
    type: str
    files: tuple[ArtifactFile, ...]


def fetch_artifact(text: str, limit_bytes: int) -> Artifact:
    """The artifact that the reference `text` means at its registry now, all of it in memory.

    limit_bytes  its files may come to this together

    Raises ImageProblem: what a registry says, content that is not what its digest says, one that is
    too large (`artifact-too-large`); RegistryUnreachable where the registry cannot be talked to.
    """
    reference = parse_reference(text)
    transport = Transport(reference.domain, reference.path)
    response = transport.ask(
        f"manifests/{reference.selector}", {"Accept": OCI_MANIFEST}, subject=reference.familiar
    )
    data = read_body(response)
    if reference.digest is not None:
        verify(data, reference.digest, f"the manifest of {reference.familiar}")
    document = parse_object(data, _invalid)
    entries = document.get("layers")
    if not isinstance(entries, list):
        raise _invalid("its layers are not a list")
    config = parse_descriptor(document.get("config"))
    layers = [parse_descriptor(entry) for entry in entries]
    if sum(layer.size for layer in layers) > limit_bytes:
        raise ImageProblem(
            f"{reference.familiar} has more than {limit_bytes} bytes", code="artifact-too-large"
        )
    return Artifact(
        digest=sha256(data),
        type=str(document.get("artifactType") or config.media_type),
        files=tuple(_file(transport, reference, layer) for layer in layers),
    )


def _file(transport: Transport, reference: Reference, layer: Descriptor) -> ArtifactFile:
    subject = f"a file of {reference.familiar}"
    response = transport.ask(f"blobs/{layer.digest}", {}, subject=subject)
    data = read_body(response, layer.size)
    verify(data, layer.digest, subject)
    return ArtifactFile(media_type=layer.media_type, annotations=dict(layer.annotations), data=data)


def _invalid(why: str) -> ImageProblem:
    return ImageProblem(f"the manifest cannot be used: {why}", code="invalid-manifest")
