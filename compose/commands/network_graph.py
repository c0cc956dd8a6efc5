"""`buoy network graph`: networks, who is on them, and who reaches whom."""

from __future__ import annotations

import json

from compose.commands.graph import drawn
from compose.commands.writing import put

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from compose.commands.context import Context
    from engine import Topology

FORMATS = ("text", "mermaid", "dot", "svg", "json")


def add_arguments(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Its options."""
    text = "Show networks, the containers on them, and who reaches whom, as they are now."
    showing = verbs.add_parser("graph", description=text, prog="buoy network graph")
    showing.add_argument("--host", action="store_true", help="of all projects")
    showing.add_argument("--format", choices=FORMATS, default="text")
    showing.add_argument("-o", "--output", metavar="FILE", help="write there instead of to stdout")


def graph(args: argparse.Namespace, context: Context) -> int:
    """0."""
    from compose.ui.network.scope import of_project, shown_names

    topology, project = look(context), None
    if not args.host:
        from compose.commands.target import find_target

        project = find_target(context, args).name
        topology = of_project(topology, project)
    names = shown_names(topology, project)
    title = project or topology.hostname
    put(context, args.output, _formatted(title, topology, names, args.format))
    return 0


def look(context: Context) -> Topology:
    """All networks of the engine as they are now."""
    from engine import observe_topology

    engine = context.engine
    containers = engine.containers.list_with_specs()
    return observe_topology(engine.roots, engine.networks.list(), containers)


def _formatted(title: str, topology: Topology, names: dict[str, str], form: str) -> str:
    match form:
        case "json":
            return json.dumps(topology.plain(), indent=2) + "\n"
        case "text":
            from compose.commands.parsing import terminal_width
            from compose.ui.network.tree import to_text

            return to_text(topology, names, terminal_width())
    from compose.ui.network.picture import draw_networks

    return drawn(draw_networks(title, topology, names), form)
