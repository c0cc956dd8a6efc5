"""`buoy image`: its verbs; what they do is in the modules beside it."""

from __future__ import annotations

import importlib

from compose.commands.parsing import Parser

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Coroutine, Sequence

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


class _VerbParser(Parser):
    """Of one verb: described when it is asked, which spares the modules of all others."""

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str], namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        verb = self.prog.rpartition(" ")[2]
        describe = getattr(_module(_VERBS[verb]), f"add_{verb}")
        self.description = describe.__doc__
        describe(self)
        return super().parse_known_args(args, namespace)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verbs of `buoy image`."""
    verbs = parser.add_subparsers(
        dest="action", required=True, metavar=" | ".join(_VERBS), parser_class=_VerbParser
    )
    for name in _VERBS:
        verbs.add_parser(name, prog=f"buoy image {name}")


def run(args: argparse.Namespace, context: Context) -> int | Coroutine[None, None, int]:
    """The exit code of the verb."""
    result: int | Coroutine[None, None, int] = getattr(
        _module(_VERBS[args.action]), f"run_{args.action}"
    )(args, context)
    return result


def _module(name: str) -> object:
    return importlib.import_module(f"compose.commands.{name}")
