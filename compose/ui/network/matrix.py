"""Who reaches whom, as a table: down its side who asks, across its top who is asked."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine import Reach, Topology

ALL, NOTHING, ITSELF = "●", "·", "\\"
_HOST, _OUTSIDE = "host", "outside"
_UNSAID = {(_HOST, _OUTSIDE), (_OUTSIDE, _HOST)}  # not for us to say
FOR_ALL = "--format json has it all"
TITLE = f"who reaches whom:  {ALL} every port   8080 by that port   {NOTHING} nothing"


def matrix_lines(topology: Topology, shown: Mapping[str, str], width: int) -> list[str]:
    """The table; columns have numbers where their names would not fit, and where these would not
    there is none. Nothing without containers that run."""
    own = [one.id for one in topology.containers if one.is_up and not one.shares]
    if not own:
        return []
    keys = [*own, _HOST, _OUTSIDE]
    heads = [shown.get(key, key) for key in keys]
    reaches: dict[tuple[str, str], list[Reach]] = {}
    for reach in topology.reaches:
        reaches.setdefault((reach.source, reach.target), []).append(reach)
    cells = [[_cell(reaches, source, target) for target in keys] for source in keys]
    sides = heads
    if _width(sides, heads, cells) > width:
        numbers = [str(number) for number in range(1, len(keys) + 1)]
        sides = [f"{number:>2} {head}" for number, head in zip(numbers, heads, strict=True)]
        heads = numbers
    if _width(sides, heads, cells) > width:
        return [f"who reaches whom: {len(own)} containers are too many for a table ({FOR_ALL})"]
    return [TITLE, *_table(sides, heads, cells)]


def _cell(reaches: Mapping[tuple[str, str], list[Reach]], source: str, target: str) -> str:
    if source == target:
        return ITSELF
    if (source, target) in _UNSAID:
        return ""
    found = reaches.get((source, target), [])
    if any(reach.network for reach in found):
        return ALL
    ports = dict.fromkeys(str(reach.port.published) for reach in found if reach.port)
    return " ".join(ports) or NOTHING


def _table(sides: list[str], heads: list[str], cells: list[list[str]]) -> list[str]:
    side = max(map(len, sides))
    widths = _widths(heads, cells)
    rows = [
        "  ".join([f"{name:<{side}}", *(f"{t:^{w}}" for t, w in zip(row, widths, strict=True))])
        for name, row in zip(["", *sides], [heads, *cells], strict=True)
    ]
    return [f"  {row}".rstrip() for row in rows]


def _widths(heads: list[str], cells: list[list[str]]) -> list[int]:
    return [
        max(len(text) for text in (head, *column))
        for head, column in zip(heads, zip(*cells, strict=True), strict=True)
    ]


def _width(sides: list[str], heads: list[str], cells: list[list[str]]) -> int:
    return 2 + max(map(len, sides)) + sum(width + 2 for width in _widths(heads, cells))
