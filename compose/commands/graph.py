"""`buoy graph`: the project as a picture."""

from __future__ import annotations

from compose.commands.writing import put

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from compose.commands.context import Context
    from compose.graph.drawing import Drawing

HELP = "Show services, what they need and what they use: in the terminal, or as a picture."
FORMATS = ("text", "mermaid", "dot", "svg")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `buoy graph`."""
    add = parser.add_argument
    add("services", nargs="*", metavar="SERVICE", help="these, and what they depend on")
    add("--format", choices=FORMATS, default="text")
    add("-o", "--output", metavar="FILE", help="write there instead of to stdout")


def run(args: argparse.Namespace, context: Context) -> int:
    """Print the graph: 0."""
    from compose.graph.drawing import draw
    from compose.graph.selection import only

    drawing = draw(only(context.load_project(args), args.services))
    if args.format == "text":
        from compose.ui.graph.text import to_text

        text = to_text(drawing)
    else:
        text = drawn(drawing, args.format)
    put(context, args.output, text)
    return 0


def drawn(drawing: Drawing, form: str) -> str:
    """A drawing as a picture: in Mermaid, dot or SVG."""
    match form:
        case "mermaid":
            from compose.ui.graph.mermaid import to_mermaid

            return to_mermaid(drawing)
        case "dot":
            from compose.ui.graph.dot import to_dot

            return to_dot(drawing)

    from compose.ui.graph.svg import to_svg

    return to_svg(drawing)
