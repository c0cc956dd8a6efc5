"""What registries answer when they refuse, in words a user can act on.

ImageProblem
+-- RegistryUnreachable     no name, no route, no answer: another source may do instead
+-- everything else, by code: unauthorized, image-not-found, rate-limited, registry-error,
    registry-tls
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from engine.errors import ImageProblem

if TYPE_CHECKING:
    from collections.abc import Mapping

_LONGEST_MESSAGE = 300


class RegistryUnreachable(ImageProblem):
    """The registry could not be talked to at all."""

    code = "registry-unreachable"

    def __init__(self, host: str, why: str) -> None:
        super().__init__(
            f"{host} cannot be reached: {why}",
            hint="is the network up, and does it need HTTPS_PROXY?",
        )
        self.host = host


def tls_problem(host: str, why: str) -> ImageProblem:
    """A certificate that cannot be trusted, or no TLS where it was expected."""
    return ImageProblem(
        f"no secure connection to {host}: {why}",
        hint="put the registry's CA where the system keeps its own (update-ca-certificates), or "
        "name it in SSL_CERT_FILE; plain http is used for localhost alone",
        code="registry-tls",
    )


def refusal(
    status: int, headers: Mapping[str, str], body: bytes, *, subject: str, host: str
) -> ImageProblem:
    """The problem that an answer other than success stands for.

    subject  what was asked for: an image, or a layer of it
    body     at most what fits a message: JSON as the specification has it, or anything
    """
    said = _message(body)
    if status in (401, 403):
        return ImageProblem(
            f"{host} does not give {subject} to us: {said or 'authentication required'}",
            hint=f"it may not exist, or need `docker login {host}`: credentials are read from "
            "~/.docker/config.json",
            code="unauthorized",
        )
    if status == 404:
        return ImageProblem(
            f"{subject} is not on {host}{': ' + said if said else ''}",
            hint=f"check the name and tag; a private one needs `docker login {host}`",
            code="image-not-found",
        )
    if status == 429:
        retry_after = headers.get("Retry-After")
        when = f" for {retry_after} s" if retry_after else ""
        return ImageProblem(
            f"{host} limits how often one may pull{when}: {said or 'too many requests'}",
            hint="wait, or log in: registries allow more to those they know",
            code="rate-limited",
        )
    return ImageProblem(
        f"{host} answered {status} when asked for {subject}{': ' + said if said else ''}",
        code="registry-error",
    )


def _message(body: bytes) -> str:
    """`errors[].message` of the answer; of HTML nothing."""
    try:
        errors = json.loads(body)["errors"]
        messages = [str(error.get("message") or error.get("code")) for error in errors]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        text = body.decode(errors="replace").strip()
        return "" if text.startswith(("<", "{")) else text[:_LONGEST_MESSAGE]
    return "; ".join(messages)[:_LONGEST_MESSAGE]
