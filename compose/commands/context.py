"""What a verb works with: the engine, the project, the console."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compose.ui.console import Console

if TYPE_CHECKING:
    import argparse
    from collections.abc import Coroutine

    from compose.model import Project
    from engine import Engine


class Context:
    """The engine (opened when first asked for), the project and the console of one command."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.console = Console(options.ansi, options.progress)
        self._engine: Engine | None = None

    @property
    def engine(self) -> Engine:
        """The engine at --root and --run-root. Raises NotRoot where we are not root."""
        if self._engine is None:
            self._engine = open_engine(self.options)
        return self._engine

    def load_project(self, args: argparse.Namespace) -> Project:
        """The project that -f, -p, --env-file and --profile speak of."""
        from compose.model.cache import load_cached

        return load_cached(args)

    def complete(self, result: int | Coroutine[None, None, int]) -> int:
        """Run what a verb's `run` returned to its end and let go of the engine."""
        if isinstance(result, int):
            return result
        import asyncio

        return asyncio.run(self._closing(result))

    async def _closing(self, work: Coroutine[None, None, int]) -> int:
        try:
            return await work
        finally:
            if self._engine is not None:
                await self._engine.close()


def open_engine(options: argparse.Namespace) -> Engine:
    """The engine for the global options. Raises NotRoot."""
    import os
    import sys

    from engine import Engine, Roots
    from engine.errors import NotRoot

    if os.geteuid() != 0:
        words = " ".join(sys.argv[1:])
        raise NotRoot(
            "containers, networks and mounts need root",
            hint=f"sudo buoy {words}; `buoy config` and `buoy plan` work without",
        )
    return Engine(Roots.from_environment(options.root, options.run_root))
