"""`buoy image build`: what `docker build` does, with its options."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING

from compose.commands.build_options import add_build_options, warn_without_effect
from compose.commands.debugging import SHELL, shell_of
from compose.commands.parsing import UsageProblem, parse_variables

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from compose.commands.context import Context
    from engine import BuildSpec

_REPEATED = {
    "-t --tag": ("NAME[:TAG]", "name of the image; repeatable, as all that follow"),
    "--build-arg": ("NAME[=VALUE]", "value of an ARG"),
    "--build-context": ("NAME=PLACE", "directory, image or URL that FROM and --from may name"),
    "--label": ("NAME=VALUE", "label of the image"),
    "--annotation": ("NAME=VALUE", "annotation of its manifest"),
    "--secret": ("id=NAME,src=PATH", "file (or env=VARIABLE) for RUN --mount=type=secret"),
    "--ssh": ("default|ID=PATH", "agent or keys for RUN --mount=type=ssh"),
    "--add-host": ("NAME:ADDRESS", "line of /etc/hosts in RUN"),
    "--ulimit": ("NAME=SOFT[:HARD]", "limit in RUN"),
    "--allow": ("ENTITLEMENT", "what RUN may ask for: network.host, security.insecure"),
    "--cache-from": ("REFERENCE|type=local,src=DIRECTORY", "steps that others have run"),
    "--cache-to": (
        "REFERENCE|type=inline|type=local,dest=DIRECTORY",
        "where to write those of this build; mode=max, ignore-error=true",
    ),
    "--no-cache-filter": ("STAGE", "stage of which every step is run again"),
    "--platform": ("OS/ARCHITECTURE", "this machine's, or it is refused"),
}


def add_build(parser: argparse.ArgumentParser) -> None:
    """Build an image from a Dockerfile and a context.

    The context is a directory, a URL of an archive or a Dockerfile, a git repository, or `-`: an
    archive or a Dockerfile on standard input.
    """
    add = parser.add_argument
    add("context", metavar="PATH|URL|-")
    for names, (metavar, text) in _REPEATED.items():
        add(*names.split(), action="append", default=[], metavar=metavar, help=text)
    add("-f", "--file", metavar="PATH", help="the Dockerfile, in place of the context's; or -")
    add("--target", metavar="STAGE", help="the stage to build, in place of the last")
    add("--no-cache", action="store_true", help="run every step again")
    add("--pull", action="store_true", help="ask the registry for newer base images")
    add("--network", default="default", metavar="NETWORK", help="of RUN: default, none, host, one")
    add("--shm-size", metavar="SIZE", help="of /dev/shm in RUN")
    text = "DIRECTORY, - (a tar), type=registry, or type=local|tar|oci|docker,dest=PATH"
    add("-o", "--output", metavar="OUTPUT", help=text)
    add("--push", action="store_true", help="push it under all its names: --output type=registry")
    add("--check", action="store_true", help="build nothing, say what is doubtful")
    text = "build (the default), or check: the same as --check"
    add("--call", choices=("build", "check"), default="build", help=text)
    add("--iidfile", metavar="FILE", help="where to write the id of the image")
    add("--metadata-file", metavar="FILE", help="where to write its id, digest and names, as JSON")
    add("--debug", action="store_true", help="where a step fails, a shell in the state before it")
    add("-q", "--quiet", action="store_true", help="print the id alone")
    add_build_options(parser)


async def run_build(args: argparse.Namespace, context: Context) -> int:
    """0. Raises Problem."""
    from compose.commands.build_outcome import Outcome
    from compose.ui.build_progress import QuietBuilds, build_report
    from engine import build_image

    outcome = Outcome(args, context)
    report = QuietBuilds() if args.quiet else build_report(context.console)
    warn_without_effect(args, context.console)
    _warn_of_caches(args, context)
    if args.check or args.call == "check":
        from compose.commands.build_looking import check_builds

        with _asked(args, outcome.names) as spec:
            return check_builds(context, {"": spec})
    look = shell_of(context, SHELL if args.debug else None, report)
    with _asked(args, outcome.names) as spec, report:
        image = await build_image(context.engine, spec, report.build(""), look)
    await outcome.put_out(image)
    if args.quiet:
        context.console.out(image.id)
    return 0


def _warn_of_caches(args: argparse.Namespace, context: Context) -> None:
    from compose.source.cache_entries import is_used

    for key in ("cache_from", "cache_to"):
        for entry in getattr(args, key):
            if not is_used(entry, key):
                option = key.replace("_", "-")
                context.console.warn(f"--{option} is not for `{entry}`: it has no effect")


@contextlib.contextmanager
def _asked(args: argparse.Namespace, tags: Sequence[str]) -> Iterator[BuildSpec]:
    """The build that the command line asks for; what standard input brings is there so long."""
    from compose.commands import build_values as values
    from compose.reconcile.build_spec import (
        MIB,
        cache_limit_bytes,
        cache_sources,
        cache_targets,
        has_inline_cache,
    )
    from compose.reconcile.outside_arguments import outside_arguments
    from compose.source.remote import is_remote
    from engine import BuildSpec

    values.check_entitlements(args.allow)
    if args.context == args.file == "-":
        raise UsageProblem("standard input cannot be both the context and the Dockerfile")
    with contextlib.ExitStack() as held:
        place, inline = args.context, None
        if place == "-":
            place = held.enter_context(_standard_input())
        elif args.file == "-":
            inline = sys.stdin.read()
        if not is_remote(place):
            place = os.path.abspath(place)  # noqa: PTH100 - a path as the user writes it
        local = os.path.isdir(place)  # noqa: PTH112
        file = args.file or "Dockerfile"
        yield BuildSpec(
            context=place,
            dockerfile=os.path.abspath(file) if local and args.file else file,  # noqa: PTH100
            dockerfile_inline=inline,
            args={**outside_arguments(), **parse_variables(args.build_arg)},
            target=args.target,
            labels=dict(entry.partition("=")[::2] for entry in args.label),
            tags=tuple(tags),
            no_cache=args.no_cache,
            pull=args.pull,
            network=args.network,
            extra_hosts=values.parse_hosts(args.add_host),
            shm_size_bytes=values.parse_shm_size(args.shm_size) if args.shm_size else 64 * MIB,
            ulimits=values.parse_ulimits(args.ulimit),
            additional_contexts={
                name: where if is_remote(where) else os.path.abspath(where)  # noqa: PTH100
                for name, where in values.parse_contexts(args.build_context).items()
            },
            secrets=values.parse_secrets(args.secret),
            ssh=values.parse_ssh(args.ssh),
            entitlements=tuple(args.allow),
            platforms=tuple(one for entry in args.platform for one in entry.split(",")),
            no_cache_stages=tuple(args.no_cache_filter),
            cache_from=cache_sources(args.cache_from),
            cache_to=cache_targets(args.cache_to),
            inline_cache=has_inline_cache(args.cache_to),
            cache_limit_bytes=cache_limit_bytes(),
        )


@contextlib.contextmanager
def _standard_input() -> Iterator[str]:
    """A file with what comes from there: the engine sees what it is."""
    if sys.stdin.isatty():
        raise UsageProblem("standard input is a terminal", hint="`-` is an archive or a Dockerfile")
    import shutil
    import tempfile

    with tempfile.NamedTemporaryFile(prefix="buoy-context-") as file:
        shutil.copyfileobj(sys.stdin.buffer, file)
        file.flush()
        yield file.name
