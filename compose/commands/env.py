"""`buoy env`: the variables of a service's containers, and where each comes from."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from compose.commands.context import Context
    from compose.model import Service

HELP = "Show the variables of a service: where each comes from, and what it overrode."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `buoy env`."""
    parser.add_argument("services", nargs=1, metavar="SERVICE")
    parser.add_argument("--format", choices=("table", "json"), default="table")


def run(args: argparse.Namespace, context: Context) -> int:
    """Print the variables: 0."""
    from compose.graph.selection import only
    from compose.model.explain import explain_variables
    from compose.reconcile.built import check_files
    from compose.ui.variables import to_json, to_table

    (name,) = args.services
    project = only(context.load_project(args), [name])
    check_files(project)
    service = project.services[name]
    variables = explain_variables(project, service, _image_variables(context, service))
    context.console.out(to_json(variables) if args.format == "json" else to_table(variables))
    return 0


def _image_variables(context: Context, service: Service) -> dict[str, str]:
    """Those of the image, where it is here and we may look."""
    from engine.errors import NotRoot

    try:
        image = context.engine.images.find(service.image_name)
    except NotRoot:
        context.console.warn("variables of the image are not shown: that needs root")
        return {}
    if image is None:
        context.console.warn(
            f"variables of the image are not shown: {service.image_name} is not here"
        )
        return {}
    return dict(entry.split("=", 1) for entry in image.config.env)
