"""`buoy image`: its verbs; what they do is in the modules beside it."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse
    from collections.abc import Coroutine

    from compose.commands.context import Context

HELP = "Manage images, of all projects."
_VERBS = {  # verb -> module with its `add_VERB` and its function
    "build": "image_build",
    "ls": "image_showing",
    "pull": "image_transfer",
    "push": "image_transfer",
    "inspect": "image_showing",
    "history": "image_showing",
    "tag": "image_changes",
    "rm": "image_changes",
    "prune": "image_changes",
    "verify": "image_changes",
    "load": "image_archives",
    "save": "image_archives",
    "import": "image_archives",
    "export": "image_archives",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verbs of `buoy image`."""
    verbs = parser.add_subparsers(dest="action", required=True, metavar=" | ".join(_VERBS))
    for name, module in _VERBS.items():
        describe = getattr(_module(module), f"add_{name}")
        one = verbs.add_parser(name, description=describe.__doc__, prog=f"buoy image {name}")
        describe(one)


def run(args: argparse.Namespace, context: Context) -> int | Coroutine[None, None, int]:
    """The exit code of the verb."""
    result: int | Coroutine[None, None, int] = getattr(
        _module(_VERBS[args.action]), f"run_{args.action}"
    )(args, context)
    return result


def _module(name: str) -> object:
    return importlib.import_module(f"compose.commands.{name}")
