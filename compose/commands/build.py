"""`buoy build`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compose.commands.parsing import parse_variables
from compose.commands.target import check_services
from compose.reconcile.bases import bases_of, with_bases
from compose.reconcile.plan import selected_services
from compose.reconcile.plan_push import check_pushable, plan_push

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Mapping

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
    add("--push", action="store_true", help="push what was built, each to its registry")
    add("--with-dependencies", action="store_true", help="what the services depend on, too")
    add("-q", "--quiet", action="store_true", help="print nothing but what went wrong")


async def run(args: argparse.Namespace, context: Context) -> int:
    """Build, services side by side: 0. Raises an ExceptionGroup of what failed."""
    import asyncio

    from compose.commands.applying import apply, parallel_limit
    from compose.reconcile.build_spec import build_spec
    from compose.reconcile.perform import Settings
    from engine import build_image

    project = context.load_project(args)
    services = _wanted(project, args)
    if not services:
        context.console.warn("no services to build")
        return 0
    if args.push:
        check_pushable(project, services)
    given = parse_variables(args.build_args)
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
    if args.push:
        await apply(context, plan_push(services), Settings(quiet=args.quiet), project, title="push")
    return 0


def _wanted(project: Project, args: argparse.Namespace) -> list[Service]:
    """The services named, or all, as far as they have something to build; each after those that
    it starts from."""
    check_services(args.services, project.services)
    named = selected_services(
        project, tuple(args.services), dependencies=args.with_dependencies
    ).values()
    return [service for service in with_bases(project, named) if service.build]


def _different(specs: Mapping[str, BuildSpec]) -> dict[str, BuildSpec]:
    """One build for services that share an image: the first that names it."""
    by_image: dict[str, str] = {}
    for name, spec in specs.items():
        by_image.setdefault(spec.tags[0], name)
    return {name: specs[name] for name in by_image.values()}


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
