"""Names of images: the reference grammar, and Docker's way of completing a short one."""

from __future__ import annotations

import re

from engine.errors import ImageProblem
from engine.images.digest import parse_digest
from engine.kernel.record import Record

DEFAULT_DOMAIN = "docker.io"
OFFICIAL = "library/"
DEFAULT_TAG = "latest"
_LONGEST_NAME = 255
_LARGEST_PORT = 65535

_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_PATH = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_LABEL = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_DOMAIN = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[a-fA-F0-9:]+\])(?::([0-9]+))?")
_TAG = re.compile(r"[\w][\w.-]{0,127}", re.ASCII)
_ID = re.compile(r"[0-9a-f]{64}")


class Reference(Record):
    """A complete name: `docker.io/library/mysql:8`. With tag and digest, the digest decides."""

    domain: str
    path: str
    tag: str | None = None
    digest: str | None = None

    def __str__(self) -> str:
        return self.name + self._suffix()

    @property
    def name(self) -> str:
        """Domain and path: `docker.io/library/mysql`."""
        return f"{self.domain}/{self.path}"

    @property
    def familiar_name(self) -> str:
        """The name as people write it: `mysql`."""
        if self.domain != DEFAULT_DOMAIN:
            return self.name
        official = self.path.removeprefix(OFFICIAL)
        if "/" not in official:
            return official
        return self.name if _is_domain(self.path.partition("/")[0]) else self.path

    @property
    def familiar(self) -> str:
        """The reference as people write it: `mysql:8`."""
        return self.familiar_name + self._suffix()

    @property
    def selector(self) -> str:
        """What the registry is asked for: the digest, or else the tag."""
        return self.digest or self.tag or DEFAULT_TAG

    def _suffix(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return tag + digest


def parse_reference(text: str) -> Reference:
    """`mysql` -> docker.io/library/mysql:latest.

    Raises ImageProblem (code `invalid-reference`), saying which part is wrong.
    Source: distribution/reference; engine.md D1.
    """
    if _ID.fullmatch(text):
        raise _invalid(text, "64 hexadecimal digits are an image id, not a name")
    rest, at, digest = text.partition("@")
    if at:
        parse_digest(digest)
    name, tag = _split_tag(rest)
    domain, path = _split_domain(name)
    _check(text, domain, path, tag)
    if not tag and not digest:
        tag = DEFAULT_TAG
    return Reference(domain=domain, path=path, tag=tag or None, digest=digest or None)


def parse_tag(text: str) -> str:
    """The complete name of an image that is given one: with a tag, and no digest.

    Raises ImageProblem: what a digest means is not for anybody to say.
    """
    reference = parse_reference(text)
    if reference.digest is not None:
        raise _invalid(text, "an image is given a tag, not a digest")
    return str(reference)


def find_reference(text: str) -> Reference | None:
    """As `parse_reference`; None for an id, and for what is no reference."""
    try:
        return parse_reference(text)
    except ImageProblem:
        return None


def familiar(reference: str) -> str:
    """The short form of a stored reference; sources such as `oci:DIR` stay as they are."""
    parsed = find_reference(reference)
    return reference if parsed is None else parsed.familiar


def repository_tag(reference: str) -> tuple[str, str]:
    """A stored reference in two: docker.io/library/mysql:8 -> ("mysql", "8").

    The tag is empty for one by digest, and for other sources, which are whole in the first part.
    """
    parsed = find_reference(reference)
    return (reference, "") if parsed is None else (parsed.familiar_name, parsed.tag or "")


def is_registry(domain: str) -> bool:
    """Whether it can be one: HOST[:PORT]."""
    match = _DOMAIN.fullmatch(domain)
    return match is not None and int(match[1] or 0) <= _LARGEST_PORT


def _split_tag(text: str) -> tuple[str, str | None]:
    name, colon, tag = text.rpartition(":")
    if not colon or "/" in tag:  # no colon, or the one before a port
        return text, None
    return name, tag


def _split_domain(name: str) -> tuple[str, str]:
    first, slash, rest = name.partition("/")
    domain, path = (first, rest) if slash and _is_domain(first) else (DEFAULT_DOMAIN, name)
    if domain == "index.docker.io":
        domain = DEFAULT_DOMAIN
    if domain == DEFAULT_DOMAIN and "/" not in path:
        path = OFFICIAL + path
    return domain, path


def _is_domain(first: str) -> bool:
    """Whether the first component of a name is a registry and not a repository of Docker Hub."""
    return "." in first or ":" in first or first == "localhost" or first.lower() != first


def _check(text: str, domain: str, path: str, tag: str | None) -> None:
    if not path.removeprefix(OFFICIAL):
        raise _invalid(text, "the name is missing")
    if not is_registry(domain):
        raise _invalid(text, f"{domain!r} is not the name of a registry")
    if path.lower() != path:
        raise _invalid(text, f"the repository name ({path}) must be in lower case")
    if not _PATH.fullmatch(path):
        raise _invalid(text, f"{path!r} is not a repository name")
    if tag is not None and not _TAG.fullmatch(tag):
        raise _invalid(text, f"{tag!r} is not a tag")
    if len(domain) + 1 + len(path) > _LONGEST_NAME:
        raise _invalid(text, f"a name has at most {_LONGEST_NAME} characters")


def _invalid(text: str, why: str) -> ImageProblem:
    return ImageProblem(
        f"invalid image reference {text!r}: {why}",
        hint="a reference is [registry[:port]/]name[:tag][@sha256:...]",
        code="invalid-reference",
    )
