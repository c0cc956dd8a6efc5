"""All tags of a repository. Source: OCI distribution-spec, "Listing Tags"; engine.md D5.9."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode

from engine.images.config import parse_object
from engine.images.registry.errors import wrong_answer
from engine.images.registry.http import read_body, split_url
from engine.images.registry.transport import Transport

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse

    from engine.images.image import Progress
    from engine.images.reference import Reference

_NEXT = re.compile(r'<([^>]*)>\s*;\s*rel="?next"?')
_PAGE = 1000
_MOST_PAGES = 1000


def list_tags(reference: Reference, progress: Progress) -> tuple[str, ...]:
    """References to every tag of the repository, in the registry's order. Raises ImageProblem."""
    name = reference.familiar_name
    transport = Transport(reference.domain, reference.path, subject=name, progress=progress)
    found: dict[str, None] = {}
    query = {"n": str(_PAGE)}
    for _ in range(_MOST_PAGES):
        response = transport.ask(f"tags/list?{urlencode(query)}", {}, subject=name)
        document = parse_object(read_body(response), lambda why: wrong_answer(transport.host, why))
        tags = document.get("tags") or []
        if not isinstance(tags, list):
            raise wrong_answer(transport.host, "its list of tags is none")
        found |= dict.fromkeys(map(str, tags))
        query = _next(response)
        if not query:
            break
    return tuple(str(reference.replace(tag=tag, digest=None)) for tag in found)


def _next(response: BaseHTTPResponse) -> dict[str, str]:
    """The query of the page that follows, from a Link header; empty after the last."""
    match = _NEXT.search(response.headers.get("Link") or "")
    return dict(parse_qsl(split_url(match[1]).query)) if match else {}
