"""`buoy graph`: the project as a picture."""

from __future__ import annotations

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

    text = _formatted(draw(only(context.load_project(args), args.services)), args.format)
    if args.output:
        with open(args.output, "w", encoding="utf-8") as file:  # noqa: PTH123
            file.write(text)
    else:
        context.console.out(text.rstrip("\n"))
    return 0


def _formatted(drawing: Drawing, form: str) -> str:
    match form:
        case "mermaid":
            from compose.ui.graph.mermaid import to_mermaid

            return to_mermaid(drawing)
        case "dot":
            from compose.ui.graph.dot import to_dot

            return to_dot(drawing)
        case "svg":
            from compose.ui.graph.svg import to_svg

            return to_svg(drawing)

    from compose.ui.graph.text import to_text

    return to_text(drawing)
