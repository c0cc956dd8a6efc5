"""`buoy build`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from compose.commands.parsing import UsageProblem, suggestion
from compose.reconcile.bases import bases_of, with_bases

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable, Mapping

    from compose.commands.context import Context
    from compose.model import Project, Service
    from engine import BuildEvent, BuildSpec

HELP = "Build the images of services that have `build`."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `buoy build`."""
    add = parser.add_argument
    add("services", nargs="*", metavar="SERVICE")
    add(
        "--build-arg",
        dest="build_args",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="value of an ARG; without =VALUE, that of the environment; repeatable",
    )
    add("--no-cache", action="store_true", help="run every step again")
    add("--pull", action="store_true", help="ask the registry for newer base images")
    add("--with-dependencies", action="store_true", help="what the services depend on, too")
    add("-q", "--quiet", action="store_true", help="print nothing but what went wrong")


async def run(args: argparse.Namespace, context: Context) -> int:
    """Build, services side by side: 0. Raises an ExceptionGroup of what failed."""
    import asyncio

    from compose.commands.applying import parallel_limit
    from compose.reconcile.build_spec import build_spec
    from engine import build_image

    project = context.load_project(args)
    services = _wanted(project, args)
    if not services:
        context.console.warn("no services to build")
        return 0
    given = _arguments(args.build_args)
    specs = {
        service.name: build_spec(
            project, service, args=given, no_cache=args.no_cache, pull=args.pull
        )
        for service in services
    }
    engine = context.engine
    slots = asyncio.Semaphore(parallel_limit(context.options.parallel))

    built = {spec.tags[0]: asyncio.Event() for spec in specs.values()}

    async def build_one(name: str, spec: BuildSpec) -> None:
        for base in bases_of(project, project.services[name]):
            await built[base.image_name].wait()
        async with slots:
            await build_image(engine, spec, _printer(context, name, args, alone=len(specs) == 1))
        built[spec.tags[0]].set()  # on success alone: a failure ends the others, too

    async with asyncio.TaskGroup() as group:
        for name, spec in _different(specs).items():
            group.create_task(build_one(name, spec))
    return 0


def _wanted(project: Project, args: argparse.Namespace) -> list[Service]:
    """The services named, or all, as far as they have something to build; each after those that
    it starts from."""
    for name in args.services:
        if name not in project.services:
            raise UsageProblem(
                f"no such service: {name}", hint=suggestion(name, list(project.services))
            )
    names = set(args.services or project.services)
    if args.with_dependencies:
        names = _with_dependencies(project, names)
    named = [service for name, service in project.services.items() if name in names]
    return [service for service in with_bases(project, named) if service.build]


def _with_dependencies(project: Project, names: Iterable[str]) -> set[str]:
    found: set[str] = set()
    left = list(names)
    while left:
        name = left.pop()
        if name not in found and name in project.services:
            found.add(name)
            left += project.services[name].depends_on
    return found


def _different(specs: Mapping[str, BuildSpec]) -> dict[str, BuildSpec]:
    """One build for services that share an image: the first that names it."""
    by_image: dict[str, str] = {}
    for name, spec in specs.items():
        by_image.setdefault(spec.tags[0], name)
    return {name: specs[name] for name in by_image.values()}


def _arguments(given: Iterable[str]) -> dict[str, str]:
    """`A=b` as it is, `A` from the environment if it is there."""
    arguments = {}
    for word in given:
        name, equals, value = word.partition("=")
        if equals:
            arguments[name] = value
        elif name in os.environ:
            arguments[name] = os.environ[name]
    return arguments


def _printer(
    context: Context, name: str, args: argparse.Namespace, *, alone: bool
) -> Callable[[BuildEvent], None]:
    console = context.console
    prefix = "" if alone else f"{name} "

    def show(event: BuildEvent) -> None:
        console.status(f"{prefix}{event}")

    def hide(event: BuildEvent) -> None:
        pass

    return hide if args.quiet or console.progress in ("quiet", "none") else show
