"""Names of projects (compose-file.md 2.2)."""

from __future__ import annotations

import re

from compose.errors import InvalidProjectName


def normalized_name(text: str) -> str:
    """A directory's name or a file's `name:` as the name of a project: `My App` is `myapp`.

    Empty when nothing is left.
    """
    return re.sub(r"[^a-z0-9_-]", "", text.lower()).lstrip("-_")


def checked_name(text: str, given_by: str) -> str:
    """A name the user gave, which is not changed. Raises InvalidProjectName."""
    normal = normalized_name(text)
    if text and text == normal:
        return text
    raise InvalidProjectName(
        f"`{text}`, given by {given_by}, is not a name for a project",
        hint=f"as `{normal}`: a-z, 0-9, `-` and `_`, first a letter or digit" if normal else None,
    )
