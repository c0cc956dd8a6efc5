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
_VERBS = {  # verb -> module with its `add_VERB` and its function, and what it does
    "build": ("image_build", "Build an image from a Dockerfile and a context"),
    "ls": ("image_showing", "List images"),
    "pull": ("image_transfer", "Fetch an image from its registry"),
    "push": ("image_transfer", "Send an image to its registry"),
    "inspect": ("image_showing", "Show all that is known of images, as JSON"),
    "history": ("image_showing", "Show how an image was made"),
    "tag": ("image_changes", "Give an image another name"),
    "rm": ("image_changes", "Remove names of images, and images with their last name"),
    "prune": ("image_changes", "Remove images that no container was made from"),
    "verify": ("image_changes", "Read all that is kept of images, and tell what is damaged"),
    "load": ("image_archives", "Load images from an archive"),
    "save": ("image_archives", "Write images as one archive"),
    "import": ("image_archives", "Make an image of the tar of a root filesystem"),
    "export": ("image_archives", "Write the root filesystem of an image as a tar"),
}


class _VerbParser(Parser):
    """Of one verb: described when it is asked, which spares the modules of all others."""

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str], namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        verb = self.prog.rpartition(" ")[2]
        describe = getattr(_module(_VERBS[verb][0]), f"add_{verb}")
        self.description = describe.__doc__
        describe(self)
        return super().parse_known_args(args, namespace)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verbs of `buoy image`."""
    verbs = parser.add_subparsers(
        dest="action", required=True, metavar=" | ".join(_VERBS), parser_class=_VerbParser
    )
    for name, (_, text) in _VERBS.items():
        verbs.add_parser(name, prog=f"buoy image {name}", help=text)


def run(args: argparse.Namespace, context: Context) -> int | Coroutine[None, None, int]:
    """The exit code of the verb."""
    result: int | Coroutine[None, None, int] = getattr(
        _module(_VERBS[args.action][0]), f"run_{args.action}"
    )(args, context)
    return result


def _module(name: str) -> object:
    return importlib.import_module(f"compose.commands.{name}")
