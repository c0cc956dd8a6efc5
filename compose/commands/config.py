"""`buoy config`: the project as it is understood."""

from __future__ import annotations

from compose.graph.selection import only

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from compose.commands.context import Context
    from compose.model import Project

HELP = "Check the project file and print what it comes to."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `buoy config`."""
    add = parser.add_argument
    add("services", nargs="*", metavar="SERVICE", help="these, and what they depend on")
    add("--format", choices=("yaml", "json"), default="yaml")
    add("-q", "--quiet", action="store_true", help="check only")
    add("-o", "--output", metavar="FILE", help="write there instead of to stdout")
    lists = parser.add_mutually_exclusive_group()
    for name in ("services", "volumes", "networks", "images", "profiles"):
        help_text = f"the {name} alone, one a line"
        lists.add_argument(f"--{name}", dest=f"list_{name}", action="store_true", help=help_text)
    lists.add_argument("--hash", metavar="SERVICES", help="digests of services: a,b or *")


def run(args: argparse.Namespace, context: Context) -> int:
    """Print the project, or one aspect of it: 0 when it is without problems."""
    whole = context.load_project(args)
    for notice in whole.warnings:
        where = f"{notice.where}: " if notice.where else ""
        context.console.warn(f"{where}{notice.what}")
    project = only(whole, args.services)
    if args.quiet and not args.output:
        return 0
    text = format_lines(_lines(args, project)) if _asks_list(args) else _document(args, project)
    if args.output:
        with open(args.output, "w", encoding="utf-8") as file:  # noqa: PTH123
            file.write(text)
    else:
        context.console.out(text.rstrip("\n"))
    return 0


def _asks_list(args: argparse.Namespace) -> bool:
    names = ("services", "volumes", "networks", "images", "profiles")
    return args.hash is not None or any(getattr(args, f"list_{name}") for name in names)


def _lines(args: argparse.Namespace, project: Project) -> Iterable[str]:
    """What the options for one aspect ask for."""
    services = project.services
    if args.hash is not None:
        chosen = sorted(services) if args.hash == "*" else args.hash.split(",")
        only(project, chosen)  # refuses names of no service
        return [f"{name} {services[name].digest}" for name in chosen]
    if args.list_services:
        return project.dependencies.services()
    if args.list_volumes:
        return sorted(project.volumes)
    if args.list_networks:
        return sorted(project.networks)
    if args.list_images:
        return [service.image_name for _, service in sorted(services.items())]
    every = (*services.values(), *project.disabled.values())
    return sorted({profile for service in every for profile in service.profiles})


def format_lines(lines: Iterable[str]) -> str:
    """Each on a line of its own."""
    return "".join(f"{line}\n" for line in lines)


def _document(args: argparse.Namespace, project: Project) -> str:
    from compose.model.plain import escaped, plain_project

    plain = escaped(plain_project(project))
    if args.format == "json":
        import json

        for service in plain["services"].values():  # there, if null, as with docker compose
            service.setdefault("command", None)
            service.setdefault("entrypoint", None)
        return json.dumps(plain, indent=2, ensure_ascii=False) + "\n"

    from compose.source.write import to_yaml

    return to_yaml(plain)
