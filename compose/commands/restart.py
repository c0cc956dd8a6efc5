"""`buoy restart`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compose.commands.target import check_services, find_target
from compose.reconcile import names
from compose.reconcile.decide import divergence
from compose.reconcile.lifecycle import plan_restart

if TYPE_CHECKING:
    import argparse

    from compose.commands.context import Context
    from compose.commands.target import Target

HELP = "Restart containers as they are; edits of the file are not applied (`up` does that)."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `buoy restart`."""
    parser.add_argument("services", nargs="*", metavar="SERVICE")
    parser.add_argument(
        "--no-deps",
        action="store_true",
        help="leave alone what asks to restart with them (`depends_on.restart`)",
    )
    parser.add_argument(
        "-t", "--timeout", type=float, metavar="SECONDS", help="before SIGKILL is sent"
    )


async def run(args: argparse.Namespace, context: Context) -> int:
    """Restart: 0."""
    from compose.commands.applying import apply
    from compose.reconcile.perform import Settings

    target = find_target(context, args, containers_only=False)
    target.check_exists()
    check_services(args.services, target.services)
    _warn_of_edits(context, target)
    services = tuple(args.services)
    steps = plan_restart(target.observed, services, dependents=not args.no_deps)
    settings = Settings(grace_s=args.timeout)
    await apply(context, steps, settings, target.project, title="restart")
    return 0


def _warn_of_edits(context: Context, target: Target) -> None:
    """Docker's `restart` ignores edits in silence; here it is said."""
    if target.project is None:
        return
    for name, service in target.project.services.items():
        for container in target.observed.of_service(name):
            cause = divergence(target.project, service, container, target.observed)
            if cause and container.labels.get(names.CONFIG_HASH) != service.digest:
                context.console.warn(f"{name}: {cause}; `buoy up` applies it")
                break
