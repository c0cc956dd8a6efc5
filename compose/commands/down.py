"""`buoy down`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compose.commands.target import check_services, find_target
from compose.commands.up_options import remove_orphans
from compose.reconcile import names
from compose.reconcile.lifecycle import DownOptions, plan_down

if TYPE_CHECKING:
    import argparse

    from compose.commands.context import Context
    from compose.commands.target import Target

HELP = """Stop and remove containers and networks.

Volumes stay unless -v is given, images unless --rmi is. With -p and without a file it works from
what exists."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `buoy down`."""
    add = parser.add_argument
    add("services", nargs="*", metavar="SERVICE", help="these, and what depends on them")
    add("-v", "--volumes", action="store_true", help="volumes of the file, and anonymous ones too")
    add("--rmi", choices=("local", "all"), help="images too; local: those without `image`")
    add("--remove-orphans", action="store_true", help="containers of services that are gone")
    add("-t", "--timeout", type=float, metavar="SECONDS", help="grace period of stops")


async def run(args: argparse.Namespace, context: Context) -> int:
    """Remove: 0, also when there is nothing to remove."""
    from compose.commands.applying import apply
    from compose.reconcile.perform import Settings

    target = find_target(context, args, containers_only=False)
    check_services(args.services, target.services)
    steps = plan_down(target.observed, _options(args, target))
    if not steps:
        context.console.warn("No resource found to remove")
    settings = Settings(grace_s=args.timeout, volumes=args.volumes)
    await apply(context, steps, settings, target.project, title="down")
    return 0


def _options(args: argparse.Namespace, target: Target) -> DownOptions:
    project = target.project
    return DownOptions(
        services=tuple(args.services),
        known=None if project is None else {*project.services, *project.disabled},
        orphans=remove_orphans(args) or project is None,
        volumes=_volumes(target) if args.volumes else (),
        images=_images(args.rmi, target) if args.rmi else (),
        external=_external(target),
    )


def _volumes(target: Target) -> tuple[str, ...]:
    if target.project is not None:
        ours = target.project.volumes.values()
        return tuple(volume.name for volume in ours if not volume.external)
    return tuple(
        volume.name
        for volume in target.observed.volumes.values()
        if volume.labels.get(names.PROJECT) == target.name
    )


def _images(which: str, target: Target) -> tuple[str, ...]:
    if target.project is None:
        references = [one.reference for one in target.observed.containers]
        built = [one for one in references if one.startswith(f"{target.name}-")]
        return tuple(dict.fromkeys(references if which == "all" else built))
    services = target.project.services.values()
    return tuple(
        dict.fromkeys(
            service.image_name
            for service in services
            if (which == "all" or service.image is None)
            and service.image_name in target.observed.images
        )
    )


def _external(target: Target) -> tuple[str, ...]:
    if target.project is None:
        return ()
    return tuple(one.name for one in target.project.networks.values() if one.external)
