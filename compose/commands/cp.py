"""`buoy cp`."""

from __future__ import annotations

from compose.commands.parsing import UsageProblem
from compose.commands.target import check_services, find_target
from compose.reconcile import names
from compose.ui.printable import printable
from engine.errors import ContainerProblem

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from compose.commands.context import Context
    from compose.commands.target import Target
    from engine import Container

HELP = """Copy files between containers and the host.

One of the two is SERVICE:PATH, in a container that may be stopped; the other is a path here, or -
for a tar archive on stdin or stdout. A directory that exists is copied into; DIR/. is what is in
DIR. What is copied into a service goes to all its containers; out of it, from the first."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `buoy cp`."""
    add = parser.add_argument
    add("--index", type=int, default=0, metavar="N", help="number of the replica")
    add("--all", action="store_true", help="containers that `run` has made, too")
    add("-a", "--archive", action="store_true", help="keep the owners")
    add("-L", "--follow-link", action="store_true", help="copy what the symlink SOURCE leads to")
    add("source", metavar="SOURCE")
    add("target", metavar="TARGET")


async def run(args: argparse.Namespace, context: Context) -> int:
    """Copy: 0. What had to be left out is warned of."""
    (from_service, source), (to_service, target) = _split(args.source), _split(args.target)
    if bool(from_service) == bool(to_service):
        what = "both" if from_service else "none"
        raise UsageProblem(
            f"buoy cp: one of SOURCE and TARGET has to be in a service, {what} of them is",
            hint="as in `buoy cp web:/etc/hosts .` or `buoy cp page.html web:/srv/`",
        )
    project = find_target(context, args)
    found = _containers(project, from_service or to_service, args)
    engine, asked = context.engine.containers, {"archive": args.archive, "follow": args.follow_link}
    copy = engine.copy_out if from_service else engine.copy_in
    if from_service or "-" in (source, target):  # an archive can be read but once
        del found[1:]
    for container in found:
        shown = project.short_name(container)
        for text in await copy(container.id, source, target, name=shown, **asked):
            context.console.warn(printable(f"{shown}: {text}", keep=""))
    return 0


def _split(text: str) -> tuple[str, str]:
    """`web:/etc` -> ("web", "/etc"); "" for a path here: absolute, with a dot in front, or without
    a colon."""
    service, colon, path = text.partition(":")
    if not colon or text.startswith(("/", ".")):
        return "", text
    return service, path


def _containers(project: Target, service: str, args: argparse.Namespace) -> list[Container]:
    """In the order of their numbers, those of `run` last. Raises UnknownService, and
    ContainerProblem where there is none."""
    check_services((service,), project.services)
    found = sorted(
        (
            container
            for container in project.observed.containers
            if container.labels.get(names.SERVICE) == service
            and (args.all or not names.is_one_off(container))
            and args.index in (0, names.number_of(container))
        ),
        key=lambda one: (names.is_one_off(one), names.number_of(one)),
    )
    if not found:
        what = f"service `{service}` has no container" + (f" #{args.index}" if args.index else "")
        raise ContainerProblem(what, hint=f"`buoy create {service}` makes it", code="no-container")
    return found
