"""What stands for a text that is not to be kept, as that of a secret."""

from __future__ import annotations


def text_digest(text: str) -> str:
    """Its SHA-256 in hexadecimal digits; of a file that is no text, too."""
    import hashlib  # 4 ms, and few projects need it again once they are in the cache

    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
