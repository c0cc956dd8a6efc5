"""`buoy config`: the project as it is understood."""

from __future__ import annotations

from compose.commands.writing import put
from compose.graph.selection import matching, only
from compose.reconcile.built import check_files

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from typing import Any

    from compose.commands.context import Context
    from compose.model import Project

HELP = "Check the project file and print what it comes to."
ASPECTS = (
    *("services", "volumes", "networks", "models", "images", "profiles"),
    *("variables", "environment"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `buoy config`."""
    add = parser.add_argument
    add("services", nargs="*", metavar="SERVICE", help="these, and what they depend on")
    add("--format", choices=("yaml", "json"), help="default: yaml")
    add("-q", "--quiet", action="store_true", help="check only")
    add("-o", "--output", metavar="FILE", help="write there instead of to stdout")
    add("--origin", action="store_true", help="beside each value, where it comes from")
    pin = "pin the images: asks their registries"
    add("--resolve-image-digests", action="store_true", help=pin)
    _add_aspects(parser)
    switch = parser.add_argument_group("what is left undone")
    for name, help_text in (
        ("interpolate", "leave variables in the text"),
        ("normalize", "leave out what the files do not say: names, the default network"),
        ("path-resolution", "leave relative paths as they are"),
        ("consistency", "do not check that names lead somewhere"),
        ("env-resolution", "leave env_file as it is, do not read it"),
    ):
        switch.add_argument(f"--no-{name}", action="store_true", help=help_text)


def _add_aspects(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("one aspect alone").add_mutually_exclusive_group()
    told = {
        "images": "the images, one a line",
        "variables": "the variables of the files, with their defaults",
        "environment": "the variables that are known, and their values",
    }
    for name in ASPECTS:
        help_text = told.get(name, f"the names of the {name}, one a line")
        group.add_argument(f"--{name}", dest=f"list_{name}", action="store_true", help=help_text)
    group.add_argument("--hash", metavar="SERVICES", help="digests of services: a,b or *")
    group.add_argument(
        "--lock-image-digests", action="store_true", help="a file that pins the images, alone"
    )


def run(args: argparse.Namespace, context: Context) -> int:
    """Print the project, or one aspect of it: 0 when it is without problems."""
    if args.no_interpolate or args.list_variables:
        text = _template(args, context)
    else:
        project = _load(args, context)
        text = "" if args.quiet and not args.output else _text(args, project)
    if args.output or (text and not args.quiet):
        put(context, args.output, text)
    return 0


def _load(args: argparse.Namespace, context: Context) -> Project:
    args.unordered = not args.list_services
    whole = context.load_project(args)
    for notice in whole.warnings:
        where = f"{notice.where}: " if notice.where else ""
        context.console.warn(f"{where}{notice.what}")
    project = only(whole, args.services)
    if not _is_aspect(args):
        check_files(project)
    return project


def _is_aspect(args: argparse.Namespace) -> bool:
    return args.hash is not None or any(getattr(args, f"list_{name}") for name in ASPECTS)


def _template(args: argparse.Namespace, context: Context) -> str:
    """What can be told without the values of variables."""
    from compose.commands.config_aspects import variables
    from compose.commands.loading import load_options
    from compose.model.load import load_tree
    from compose.model.tree_selection import keep_services
    from compose.source.tree import plain

    loaded = load_tree(
        load_options(args),
        variables=False,
        paths=args.list_variables or not args.no_path_resolution,
    )
    if args.list_variables:
        return variables(loaded.tree, args.format)
    services = loaded.tree.get("services")
    names = matching(args.services, services if isinstance(services, dict) else ())
    keep_services(loaded.tree, names)
    return _document({"name": loaded.name, **plain(loaded.tree)}, args.format)


def _text(args: argparse.Namespace, project: Project) -> str:
    if _is_aspect(args):
        from compose.commands.config_aspects import lines

        return "".join(f"{line}\n" for line in lines(args, project))

    from compose.commands.config_images import locked, with_digests
    from compose.model.plain import escaped, plain_project

    if args.lock_image_digests:
        return _document(locked(project), args.format)
    plain = plain_project(project)
    if args.no_normalize:
        from compose.model.written import as_written

        plain = as_written(plain, project.positions)
    if args.no_path_resolution:
        _leave_paths(plain, args)
    if args.resolve_image_digests:
        with_digests(plain, project)
    if args.format == "json":
        for service in plain["services"].values():  # there, if null, as with docker compose
            service.setdefault("command", None)
            service.setdefault("entrypoint", None)
    if args.origin:
        from compose.commands.config_origin import to_commented_yaml, to_origin_json

        shown = to_origin_json if args.format == "json" else to_commented_yaml
        return shown(escaped(plain), project.positions)
    return _document(escaped(plain), args.format)


def _leave_paths(plain: dict[str, Any], args: argparse.Namespace) -> None:
    from compose.commands.loading import load_options
    from compose.model.load import load_tree
    from compose.model.written import leave_paths

    leave_paths(plain, load_tree(load_options(args), paths=False).tree)


def _document(plain: dict[str, Any], form: str | None) -> str:
    if form == "json":
        import json

        return json.dumps(plain, indent=2, ensure_ascii=False) + "\n"

    from compose.source.write import to_yaml

    return to_yaml(plain)
