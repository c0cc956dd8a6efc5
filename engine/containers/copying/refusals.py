"""Why a copy cannot be made, in the words of a Problem. Standard library alone."""

from __future__ import annotations


class CopyRefused(Exception):
    """code, what, where and hint are those of the Problem that the command raises."""

    def __init__(self, code: str, what: str, *, where: str = "", hint: str = "") -> None:
        super().__init__(what)
        self.code, self.what, self.where, self.hint = code, what, where, hint

    def described(self) -> dict[str, str]:
        """As the result of the copying process has it."""
        return {"code": self.code, "what": self.what, "where": self.where, "hint": self.hint}
