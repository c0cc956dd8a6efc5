"""Digests of content, and the chain ids that name stacks of layers."""

from __future__ import annotations

import re

from engine.errors import ImageProblem

TYPE_CHECKING = False  # `typing` takes 3 ms
if TYPE_CHECKING:
    from collections.abc import Sequence

_LENGTHS = {"sha256": 64, "sha512": 128}
_DIGEST = re.compile(r"(sha256|sha512):([0-9a-f]+)")


def parse_digest(text: object) -> str:
    """`text` if it is a sha256 or sha512 digest in lower case, else ImageProblem.

    Every digest passes here before it becomes part of a path (CVE-2024-3727).
    """
    match = _DIGEST.fullmatch(text) if isinstance(text, str) else None
    if match is None or len(match[2]) != _LENGTHS[match[1]]:
        raise ImageProblem(
            f"{text!r} is not a digest",
            hint="a digest is sha256: and 64 hexadecimal digits in lower case",
            code="invalid-digest",
        )
    return match[0]


def sha256(data: bytes) -> str:
    """`sha256:<hex>` of `data`."""
    import hashlib  # 5 ms, which who only lists need not spend

    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def verify(data: bytes, digest: str, subject: str) -> None:
    """ImageProblem unless `data` has `digest`; `subject` names it in the message."""
    import hashlib

    algorithm, _, expected = parse_digest(digest).partition(":")
    found = hashlib.new(algorithm, data).hexdigest()
    if found != expected:
        raise wrong_digest(subject, digest, f"{algorithm}:{found}")


def wrong_digest(subject: str, expected: str, found: str) -> ImageProblem:
    """The problem of content that is not what its digest says."""
    return ImageProblem(
        f"{subject} has the digest {found}, but {expected} was asked for",
        hint="what was received is damaged or was tampered with; nothing of it was kept",
        code="wrong-digest",
    )


def chain_ids(diff_ids: Sequence[str]) -> tuple[str, ...]:
    """The chain id of each layer, lowest first.

    A layer unpacked on another parent has another chain id. Source: OCI image-spec config.md,
    "Layer ChainID".
    """
    chain: list[str] = []
    for diff_id in diff_ids:
        chain.append(chain_id(chain[-1] if chain else None, diff_id))
    return tuple(chain)


def chain_id(parent: str | None, diff_id: str) -> str:
    """Chain id of the layer `diff_id` on top of the chain `parent`."""
    return diff_id if parent is None else sha256(f"{parent} {diff_id}".encode())
