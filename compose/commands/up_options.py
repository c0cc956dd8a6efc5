"""The options that `up`, `create` and `scale` share."""

from __future__ import annotations

from compose.commands.parsing import UsageProblem, flag_from_environment
from compose.commands.target import check_services
from compose.reconcile.plan import UpOptions

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from compose.model import Project
    from compose.reconcile.decide import Recreate

PULL_POLICIES = ("always", "missing", "never", "build")


def add_creation_arguments(parser: argparse.ArgumentParser) -> None:
    """Options about making containers."""
    add = parser.add_argument
    add("services", nargs="*", metavar="SERVICE")
    add("--build", action="store_true", help="build images first")
    add("--no-build", action="store_true", help="never build, even when an image is missing")
    add("--pull", choices=PULL_POLICIES, help="above the pull policy of every service")
    add("--quiet-pull", action="store_true", help="do not show the layers")
    add("--force-recreate", action="store_true", help="recreate even when nothing changed")
    add("--no-recreate", action="store_true", help="never recreate what exists")
    add("--remove-orphans", action="store_true", help="remove containers of services that are gone")
    add("--scale", action="append", default=[], metavar="SERVICE=N", help="number of replicas")
    add("--loopback", action="store_true", help="publish ports for this host alone")
    add("-y", "--yes", action="store_true", help="answer yes to questions")


def up_options(args: argparse.Namespace, project: Project, *, start: bool) -> UpOptions:
    """What the command line asks for. Raises UsageProblem, UnknownService."""
    if args.build and args.no_build:
        raise UsageProblem("--build and --no-build exclude each other")
    dependencies = getattr(args, "always_recreate_deps", False)
    if args.no_recreate and (args.force_recreate or dependencies):
        raise UsageProblem("--no-recreate excludes --force-recreate and --always-recreate-deps")
    check_services(args.services, project.services)
    recreate: Recreate = "diverged"
    if args.force_recreate or args.no_recreate:
        recreate = "force" if args.force_recreate else "never"
    return UpOptions(
        services=tuple(args.services),
        no_deps=getattr(args, "no_deps", False),
        recreate=recreate,
        recreate_dependencies=_recreate_dependencies(recreate, forced=dependencies),
        remove_orphans=remove_orphans(args),
        scale=parse_scale(args.scale, project),
        build=not args.no_build,
        start=start,
        wait=getattr(args, "wait", False),
    )


def _recreate_dependencies(recreate: Recreate, *, forced: bool) -> Recreate:
    if forced:
        return "force"
    return "never" if recreate == "never" else "diverged"


def remove_orphans(args: argparse.Namespace) -> bool:
    """--remove-orphans or COMPOSE_REMOVE_ORPHANS. Raises UsageProblem."""
    wanted = bool(args.remove_orphans) or flag_from_environment("COMPOSE_REMOVE_ORPHANS")
    if wanted and flag_from_environment("COMPOSE_IGNORE_ORPHANS"):
        raise UsageProblem("COMPOSE_IGNORE_ORPHANS and --remove-orphans exclude each other")
    return wanted


def parse_scale(entries: Iterable[str], project: Project) -> dict[str, int]:
    """`web=3` -> {"web": 3}. Raises UsageProblem, UnknownService."""
    scale: dict[str, int] = {}
    for entry in entries:
        name, sign, text = entry.partition("=")
        if not sign or not text.isdecimal():
            raise UsageProblem(f"`{entry}` should be SERVICE=N", hint="as in `--scale web=3`")
        check_services((name,), project.services)
        if int(text) > 1 and project.services[name].container_name:
            raise UsageProblem(
                f"service `{name}` has a `container_name`: it cannot have {text} containers",
                hint="leave out `container_name` to scale it",
            )
        scale[name] = int(text)
    return scale
