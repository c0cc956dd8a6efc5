"""Which content a name stands for at its registry now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.errors import ImageProblem
from engine.images.digest import parse_digest, sha256
from engine.images.manifest import ACCEPTED
from engine.images.reference import parse_reference
from engine.images.registry.http import read_body
from engine.images.registry.transport import Transport
from engine.images.source import parse_source

if TYPE_CHECKING:
    from engine.images.reference import Reference

_NO_HEAD = (400, 405, 501)  # of what only knows GET


def pin_reference(text: str) -> str:
    """The complete reference with its digest: `mysql:8` -> `docker.io/library/mysql:8@sha256:...`.

    One that has a digest, or is of no registry (`rootfs:`, `oci:`), is returned as it is. Asks by
    HEAD, which registries do not count as a pull. Raises ImageProblem; RegistryUnreachable where
    the registry cannot be talked to.
    """
    if parse_source(text).kind != "registry":
        return text
    reference = parse_reference(text)
    if reference.digest is not None:
        return text
    digest = _digest(Transport(reference.domain, reference.path), reference)
    return str(reference.replace(digest=digest))


def _digest(transport: Transport, reference: Reference) -> str:
    found = tag_digest(transport, reference)
    if found is None:  # the header is optional: then the content tells
        response = transport.ask(
            f"manifests/{reference.selector}",
            {"Accept": ", ".join(ACCEPTED)},
            subject=reference.familiar,
        )
        return sha256(read_body(response))
    try:
        parse_digest(found)
    except ImageProblem:
        raise ImageProblem(
            f"{reference.domain} gives {reference.familiar} the digest {found!r}, which is none",
            code="registry-error",
        ) from None
    return found


def tag_digest(transport: Transport, reference: Reference) -> str | None:
    """What the registry says the digest is; None where it does not say, or does not know HEAD.
    Raises as `pull`."""
    response = transport.ask(
        f"manifests/{reference.selector}",
        {"Accept": ", ".join(ACCEPTED)},
        subject=reference.familiar,
        method="HEAD",
        expected=(200, *_NO_HEAD),
    )
    read_body(response)
    return response.headers.get("Docker-Content-Digest") if response.status == 200 else None
