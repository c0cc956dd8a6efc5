"""A project as text, Mermaid, Graphviz dot or SVG."""
