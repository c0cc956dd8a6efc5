"""Words of others on our terminal: of images, registries, processes."""

from __future__ import annotations


def printable(text: str, keep: str = "\n\t") -> str:
    """With a `?` for what would move the cursor, colour or rename; `keep` is let through."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in keep else "?" for c in text)
