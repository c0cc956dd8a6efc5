"""`buoy up`: make what exists what the file says, and show the logs."""

from __future__ import annotations

from compose.commands.exposing import say_exposure
from compose.commands.parsing import UsageProblem
from compose.commands.up_options import add_creation_arguments, up_options
from compose.commands.volume_changes import settle_volumes
from compose.reconcile.bases import with_bases
from compose.reconcile.built import check_built
from compose.reconcile.plan import plan_up, selected_services
from compose.reconcile.plan_images import plan_images

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Coroutine, Iterable, Sequence

    from compose.commands.context import Context
    from compose.model import Project
    from compose.reconcile.plan import UpOptions
    from compose.reconcile.step import Step

HELP = """Create and start what is missing or differs, then show the logs.

Without -d the command stays and shows what the containers write: Ctrl-C stops them gracefully,
a second Ctrl-C kills them. `buoy plan` shows what would be done, and why."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `buoy up`."""
    add_creation_arguments(parser)
    add = parser.add_argument
    add("-d", "--detach", action="store_true", help="leave the containers running, and return")
    add("--quiet-build", action="store_true", help="do not show what is built")
    add("--no-deps", action="store_true", help="the named services alone")
    add("--always-recreate-deps", action="store_true", help="recreate dependencies too")
    add("--no-start", action="store_true", help="create only")
    add("--wait", action="store_true", help="return when all is running or healthy; implies -d")
    add("--wait-timeout", type=float, metavar="SECONDS", help="how long --wait may take")
    add("-t", "--timeout", type=float, metavar="SECONDS", help="grace period of stops")
    add("--abort-on-container-exit", action="store_true", help="the first exit stops all")
    add("--abort-on-container-failure", action="store_true", help="the first failure stops all")
    add("--exit-code-from", metavar="SERVICE", help="return its exit code; any exit stops all")
    add("--attach", action="append", default=[], metavar="SERVICE", help="show these alone")
    add("--no-attach", action="append", default=[], metavar="SERVICE", help="do not show these")
    add("--attach-dependencies", action="store_true", help="show dependencies of named services")
    add("--no-color", action="store_true", help="no colours")
    add("--no-log-prefix", action="store_true", help="no names before lines")
    add("--timestamps", action="store_true", help="show when each line was written")


def run(args: argparse.Namespace, context: Context) -> int | Coroutine[None, None, int]:
    """Reconcile. 0, or with an abort option the exit code of a container.

    Plain unless there is something to do: a project that is up imports no asyncio.
    """
    _check(args)
    project = context.load_project(args)
    options = up_options(args, project, start=not args.no_start)
    services = selected_services(project, options.services, dependencies=not options.no_deps)
    check_built(project, services.values())
    refreshing = plan_images(
        with_bases(project, services.values()),
        build=args.build,
        no_build=args.no_build,
        pull=args.pull,
    )
    if args.detach or args.wait or args.no_start:
        if refreshing:
            return _refresh_and_apply(args, context, project, options, refreshing, services)
        observed = context.observe(project)
        context.warn_of(project, observed, options)
        options = settle_volumes(context, project, observed, options, yes=args.yes)
        steps = plan_up(project, observed, options)
        if not steps:
            context.say_running(project, observed, services)
            say_exposure(context, project, observed, services)
            return 0
        return _bring_up(args, context, project, steps, services)

    from compose.commands.attached import up_attached

    return up_attached(args, context, project, options, refreshing)


async def _refresh_and_apply(
    args: argparse.Namespace,
    context: Context,
    project: Project,
    options: UpOptions,
    refreshing: Sequence[Step],
    services: Iterable[str],
) -> int:
    await _apply(args, context, project, refreshing)
    observed = context.observe(project)
    context.warn_of(project, observed, options)
    options = settle_volumes(context, project, observed, options, yes=args.yes)
    steps = plan_up(project, observed, options)
    return await _bring_up(args, context, project, steps, services)


async def _bring_up(
    args: argparse.Namespace,
    context: Context,
    project: Project,
    steps: Sequence[Step],
    services: Iterable[str],
) -> int:
    from compose.reconcile.observe import observe_containers

    await _apply(args, context, project, steps)
    if not context.options.dry_run:
        observed = observe_containers(context.engine, project.name)
        say_exposure(context, project, observed, services)
    return 0


async def _apply(
    args: argparse.Namespace, context: Context, project: Project, steps: Sequence[Step]
) -> None:
    from compose.commands.applying import apply
    from compose.reconcile.perform import Settings

    settings = Settings(
        grace_s=args.timeout,
        pull=args.pull,
        wait_timeout_s=args.wait_timeout,
        quiet_pull=args.quiet_pull,
        quiet_build=args.quiet_build,
    )
    await apply(context, steps, settings, project, title="up")


def _check(args: argparse.Namespace) -> None:
    """Options that make no sense together (cli.md 5)."""
    following = {
        "--abort-on-container-exit": args.abort_on_container_exit,
        "--abort-on-container-failure": args.abort_on_container_failure,
        "--exit-code-from": args.exit_code_from,
        "--attach": args.attach,
        "--attach-dependencies": args.attach_dependencies,
    }
    away = "--wait" if args.wait else "-d" if args.detach else "--no-start" if args.no_start else ""
    for option, given in following.items():
        if given and away:
            raise UsageProblem(f"{option} and {away} exclude each other")
    if args.abort_on_container_exit and args.abort_on_container_failure:
        raise UsageProblem(
            "--abort-on-container-exit and --abort-on-container-failure exclude each other"
        )
    if args.attach and args.attach_dependencies:
        raise UsageProblem("--attach and --attach-dependencies exclude each other")
