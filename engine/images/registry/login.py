"""Logging in to registries, and out: docker's config.json, and the helpers that it names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.errors import ImageProblem
from engine.images.image import silent
from engine.images.reference import DEFAULT_DOMAIN, is_registry
from engine.images.registry.credential_file import erase_credentials, store_credentials
from engine.images.registry.credentials import HUB_HOSTS, Credentials, find_credentials
from engine.images.registry.errors import wrong_answer
from engine.images.registry.http import read_some
from engine.images.registry.transport import Transport

if TYPE_CHECKING:
    from engine.images.image import Progress


def log_in(server: str, user: str, password: str, progress: Progress = silent) -> str:
    """Try them out at the registry `server`, and keep them; where they are kept now.

    server  its host as in references, or with a scheme and a path; empty: Docker Hub

    Raises ImageProblem (`unauthorized`); nothing is kept then.
    """
    domain = registry_domain(server)
    credentials = Credentials(user=user, password=password)
    identity = _try_out(domain, credentials, progress)
    if identity:
        credentials = Credentials(user=user, identity_token=identity)
    return store_credentials(domain, credentials)


def is_logged_in(server: str, progress: Progress = silent) -> bool:
    """Whether what is kept for the registry is good there. Raises ImageProblem."""
    domain = registry_domain(server)
    credentials = find_credentials(domain)
    if credentials is None:
        return False
    try:
        _try_out(domain, credentials, progress)
    except ImageProblem as problem:
        if problem.code != "unauthorized":
            raise
        return False
    return True


def log_out(server: str) -> bool:
    """Forget what is kept for the registry; False where that is nothing. Raises ImageProblem."""
    return erase_credentials(registry_domain(server))


def registry_domain(server: str) -> str:
    """`https://ghcr.io/v2/` -> ghcr.io; Docker Hub, by any of its names, is docker.io.

    Raises ImageProblem (`invalid-registry`).
    """
    host = (server.partition("://")[2] or server).partition("/")[0]
    if not server or host in HUB_HOSTS:
        return DEFAULT_DOMAIN
    if not is_registry(host):
        raise ImageProblem(
            f"{server!r} is not the name of a registry",
            hint="it is HOST[:PORT], as in the names of its images",
            code="invalid-registry",
        )
    return host


def _try_out(domain: str, credentials: Credentials, progress: Progress) -> str:
    """What the registry gives to remember the login by; may be empty."""
    transport = Transport(domain, "", login=credentials, subject=domain, progress=progress)
    try:
        read_some(transport.ask("", {}, subject="a login"))
    except ImageProblem as problem:
        raise _of_a_login(problem, transport.host) from None
    return transport.connection.identity_token


def _of_a_login(problem: ImageProblem, host: str) -> ImageProblem:
    if problem.code == "image-not-found":
        return wrong_answer(host, "it is no registry")
    if problem.code != "unauthorized":
        return problem
    return ImageProblem(
        f"{host} does not take this user and password",
        hint="some registries want a token with the right to read packages as password",
        code="unauthorized",
    )
