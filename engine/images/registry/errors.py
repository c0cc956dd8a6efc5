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
from engine.images.reference import DEFAULT_DOMAIN
from engine.images.registry.notices import limit_of

if TYPE_CHECKING:
    from collections.abc import Mapping

HUB_HOST = "registry-1.docker.io"  # where docker.io is
_LONGEST_MESSAGE = 300


class RegistryUnreachable(ImageProblem):
    """The registry could not be talked to at all."""

    code = "registry-unreachable"

    def __init__(self, host: str, why: str) -> None:
        super().__init__(
            f"{host} cannot be reached: {why}",
            hint="is the network up, and does it need HTTPS_PROXY?",
        )
        self.host, self.why = host, why


def tls_problem(host: str, why: str) -> ImageProblem:
    """A certificate that cannot be trusted, or no TLS where it was expected."""
    return ImageProblem(
        f"no secure connection to {host}: {why}",
        hint=f'name its authority as `ca` of [registry."{host}"] in /etc/buoy/registries.toml, or '
        f"put it into /etc/docker/certs.d/{host}/ca.crt; `insecure = true` is for plain http",
        code="registry-tls",
    )


def wrong_answer(host: str, why: str) -> ImageProblem:
    """A registry that does not do as the specification has it."""
    return ImageProblem(f"{host} cannot be used: {why}", code="registry-error")


def refusal(
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    *,
    subject: str,
    host: str,
    domain: str = "",
) -> ImageProblem:
    """The problem that an answer other than success stands for.

    subject  what was asked for: an image, or a layer of it
    body     at most what fits a message: JSON as the specification has it, or anything
    domain   whom one has to log in to, where that is not `host`
    """
    said = _message(body)
    login = f"buoy login {login_name(domain or host)}".strip()
    if status in (401, 403):
        return ImageProblem(
            f"{host} refuses {subject}: {said or 'authentication required'}",
            hint=f"it may not exist, or need `{login}`",
            code="unauthorized",
        )
    if status == 404:
        return ImageProblem(
            f"{subject} is not on {host}{': ' + said if said else ''}",
            hint=f"check the name and tag; a private one needs `{login}`",
            code="image-not-found",
        )
    if status == 429:
        retry_after, limit = headers.get("Retry-After"), limit_of(headers)
        allowed = f" ({limit})" if limit else ""
        when = f" for {retry_after} s" if (retry_after or "").isdecimal() else ""
        return ImageProblem(
            f"{host} limits how often one may pull{allowed}{when}: {said or 'too many requests'}",
            hint=f"wait, or log in with `{login}`: registries allow more to those they know",
            code="rate-limited",
        )
    return ImageProblem(
        f"{host} answered {status} when asked for {subject}{': ' + said if said else ''}",
        code="registry-error",
    )


def foreign_layer(layer: str, host: str) -> ImageProblem:
    """A registry does not have a layer that it may not have."""
    return ImageProblem(
        f"layer {layer} is not on {host}: its publisher alone distributes it",
        hint="the addresses that a manifest gives outside of its registry are not followed",
        code="foreign-layer",
    )


def login_name(domain: str) -> str:
    """What `buoy login` is given for a registry; nothing for Docker Hub."""
    return "" if domain in (DEFAULT_DOMAIN, HUB_HOST) else domain


def _message(body: bytes) -> str:
    """`errors[].message` of the answer; of HTML nothing."""
    try:
        errors = json.loads(body)["errors"]
        messages = [str(error.get("message") or error.get("code")) for error in errors]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        text = body.decode(errors="replace").strip()
        return "" if text.startswith(("<", "{")) else text[:_LONGEST_MESSAGE]
    return "; ".join(messages)[:_LONGEST_MESSAGE]
