"""`buoy build`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compose.commands.build_options import add_build_options, warn_without_effect
from compose.commands.debugging import shell_of
from compose.commands.parsing import parse_variables
from compose.commands.target import check_services
from compose.reconcile.bases import bases_of, with_bases
from compose.reconcile.plan import selected_services
from compose.reconcile.plan_push import check_pushable, plan_push

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    from compose.commands.context import Context
    from compose.model import Project, Service
    from engine import BuildSpec

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
    add(
        "--debug",
        nargs="?",
        metavar="COMMAND",
        help="where a step fails, open a shell in the state before it; --debug=COMMAND runs that",
    )
    add("--ssh", action="append", default=[], metavar="default|ID=PATH", help="agent or keys")
    add("--check", action="store_true", help="build nothing, say what is doubtful in Dockerfiles")
    add("--print", action="store_true", help="build nothing, print what would be, as JSON")
    add("-q", "--quiet", action="store_true", help="print nothing but what went wrong")
    add_build_options(parser)


async def run(args: argparse.Namespace, context: Context) -> int:
    """Build, services side by side: 0. Raises an ExceptionGroup of what failed."""
    import asyncio

    from compose.commands.applying import apply, parallel_limit
    from compose.commands.build_looking import check_builds, print_builds
    from compose.commands.build_values import parse_ssh
    from compose.reconcile.build_spec import build_spec
    from compose.ui.build_progress import QuietBuilds, build_report
    from engine import build_image

    warn_without_effect(args, context.console)
    report = QuietBuilds() if args.quiet else build_report(context.console)
    look = shell_of(context, args.debug, report)
    project = context.load_project(args)
    services = _wanted(project, args)
    if not services:
        context.console.warn("no services to build")
        return 0
    if args.push:
        check_pushable(project, services)
    given, agents = parse_variables(args.build_args), parse_ssh(args.ssh)
    specs = {
        service.name: build_spec(
            project, service, args=given, no_cache=args.no_cache, pull=args.pull, ssh=agents
        )
        for service in services
    }
    if args.print:
        return print_builds(context, specs)
    if args.check:
        return check_builds(context, specs)
    engine = context.engine
    slots = asyncio.Semaphore(parallel_limit(context.options.parallel))

    built = {spec.tags[0]: asyncio.Event() for spec in specs.values()}

    async def build_one(name: str, spec: BuildSpec) -> None:
        for base in bases_of(project, project.services[name]):
            await built[base.image_name].wait()
        async with slots:
            show = report.build("" if len(specs) == 1 else name)
            await build_image(engine, spec, show, look)
        built[spec.tags[0]].set()  # on success alone: a failure ends the others, too

    with report:
        async with asyncio.TaskGroup() as group:
            for name, spec in _different(specs).items():
                group.create_task(build_one(name, spec))
    if args.push:
        from compose.reconcile.perform import Settings

        settings = Settings(quiet_pull=args.quiet)
        await apply(context, plan_push(services), settings, project, title="push")
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
