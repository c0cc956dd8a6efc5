"""A drawing as lines for a terminal: a tree of services, then what they share."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from compose.graph.drawing import Arrow, Box, Drawing

TIMES = "\N{MULTIPLICATION SIGN}"
_SECTIONS = {
    "image": "images",
    "network": "networks",
    "volume": "volumes",
    "bind": "directories and files",
    "config": "configs",
    "secret": "secrets",
    "model": "models",
}


def to_text(drawing: Drawing) -> str:
    """The services, each below those that need it, and who uses which resource."""
    writer = _Writer(drawing)
    return "\n".join([*writer.services(), *writer.resources()]) + "\n"


class _Writer:
    def __init__(self, drawing: Drawing) -> None:
        self._boxes = {box.key: box for box in drawing.boxes}
        self._arrows = drawing.arrows
        self._drawn: set[str] = set()
        self._replicas: dict[str, int] = {}
        for arrow in drawing.arrows:
            if self._boxes[arrow.needed].kind == "replica":
                self._replicas[arrow.needing] = self._replicas.get(arrow.needing, 0) + 1

    def services(self) -> Iterator[str]:
        needed = {arrow.needed for arrow in self._arrows}
        services = [box for box in self._boxes.values() if box.kind == "service"]
        for box in reversed(services):  # the last ones to start need the others
            if box.key not in needed:
                yield self._line(box)
                yield from self._below(box, "")

    def _below(self, box: Box, indent: str) -> Iterator[str]:
        """What a service needs, as branches of a tree; a service met again is not unfolded."""
        if box.key in self._drawn:
            return
        self._drawn.add(box.key)
        arrows = [one for one in self._arrows if one.needing == box.key and self._is_service(one)]
        for number, arrow in enumerate(arrows, start=1):
            last = number == len(arrows)
            needed = self._boxes[arrow.needed]
            again = " …" if needed.key in self._drawn and self._needs(needed) else ""
            condition = f"when {arrow.label}" + (", or without it" if arrow.optional else "")
            branch = "└─ " if last else "├─ "
            yield f"{indent}{branch}{self._line(needed)}  ({condition}){again}"
            yield from self._below(needed, indent + ("   " if last else "│  "))

    def _is_service(self, arrow: Arrow) -> bool:
        return self._boxes[arrow.needed].kind == "service"

    def _needs(self, box: Box) -> bool:
        return any(one.needing == box.key and self._is_service(one) for one in self._arrows)

    def _line(self, box: Box) -> str:
        count = f" {TIMES}{self._replicas[box.key]}" if box.key in self._replicas else ""
        return f"{box.name}{count}" + (f"  {box.note}" if box.note else "")

    def resources(self) -> Iterator[str]:
        for kind, title in _SECTIONS.items():
            boxes = sorted(
                (b for b in self._boxes.values() if b.kind == kind), key=lambda b: b.name
            )
            if boxes:
                yield ""
                yield title
                yield from self._columns(boxes)

    def _columns(self, boxes: list[Box]) -> Iterator[str]:
        names = [self._line(box) for box in boxes]
        width = max(map(len, names))
        for box, name in zip(boxes, names, strict=True):
            users = [self._user(arrow) for arrow in self._arrows if arrow.needed == box.key]
            yield f"  {name:<{width}}  {', '.join(users)}".rstrip()

    def _user(self, arrow: Arrow) -> str:
        name = self._boxes[arrow.needing].name
        return f"{name} {arrow.label}" if arrow.label else name
