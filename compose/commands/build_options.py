"""Options that all commands that build have: how it is shown, and what is Docker's alone."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from compose.commands.parsing import PROGRESS

if TYPE_CHECKING:
    from compose.ui.console import Console

_WITHOUT_EFFECT = ("-m --memory", "--builder", "--provenance", "--sbom")
_OF_OLD_BUILDERS = (  # BuildKit has no use for them either
    *("--cpu-period", "--cpu-quota", "-c --cpu-shares", "--cpuset-cpus", "--cpuset-mems"),
    *("--isolation", "--memory-swap", "--security-opt"),
)
_AS_ALWAYS = ("--compress", "--force-rm", "--load", "--no-rm", "--parallel", "--rm")


def add_build_options(parser: argparse.ArgumentParser) -> None:
    """`--progress`, as before the verb, and those that change nothing."""
    add = parser.add_argument
    add("--progress", choices=PROGRESS, default=argparse.SUPPRESS, help="how progress is shown")
    for names in _WITHOUT_EFFECT:
        add(*names.split(), metavar="VALUE", help="has no effect: there is no such thing here")
    for names in _OF_OLD_BUILDERS:
        add(*names.split(), help=argparse.SUPPRESS)
    for name in _AS_ALWAYS:
        add(name, action="store_true", help=argparse.SUPPRESS)


def warn_without_effect(args: argparse.Namespace, console: Console) -> None:
    """Of options that change nothing, but for those that turn off what is not there."""
    for names in (*_WITHOUT_EFFECT, *_OF_OLD_BUILDERS):
        option = names.split()[-1]
        if getattr(args, option.removeprefix("--").replace("-", "_")) not in (None, "false"):
            console.warn(f"{option} is not used: it has no effect")
