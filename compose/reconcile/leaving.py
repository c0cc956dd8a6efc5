"""Networks that are removed together: each by itself keeps the kernel waiting twice as long."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine import Engine

_TOGETHER = 8  # other commands that write to the database wait meanwhile


class LeavingNetworks:
    """Removes at once what steps that run side by side ask for."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._waiting: dict[str, asyncio.Future[None]] = {}

    async def remove(self, name: str) -> None:
        """As `engine.networks.remove`, in the company of others."""
        loop = asyncio.get_running_loop()
        if not self._waiting:
            loop.call_soon(self._remove_waiting)  # after all steps that can go on now
        removed = self._waiting[name] = loop.create_future()
        await removed

    def _remove_waiting(self) -> None:
        waiting = {name: one for name, one in self._waiting.items() if not one.cancelled()}
        self._waiting = {}
        names = list(waiting)
        for first in range(0, len(names), _TOGETHER):
            for name, error in self._remove(names[first : first + _TOGETHER]).items():
                if error is None:
                    waiting[name].set_result(None)
                else:
                    waiting[name].set_exception(error)

    def _remove(self, names: list[str]) -> dict[str, Exception | None]:
        """What became of each."""
        try:
            return {**dict.fromkeys(names), **self._engine.networks.remove_all(names)}
        except Exception as error:  # noqa: BLE001 - raised by `remove`
            if len(names) == 1:
                return {names[0]: error}
        return {name: self._remove([name])[name] for name in names}  # one must not keep the others
