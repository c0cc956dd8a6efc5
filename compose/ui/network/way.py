"""The way of a packet, hop by hop, for a terminal. Names of links and tables may be a container's
own choice."""

from __future__ import annotations

from compose.ui.exposure import format_ways
from compose.ui.printable import printable
from engine import ways_to

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from engine import Hop, Trace, Way

_MARKS = {"passed": ("✓", "\x1b[32m"), "failed": ("✗", "\x1b[31m"), "unknown": ("?", "\x1b[33m")}
_RESET = "\x1b[0m"
_STAGE = 7  # the longest name of a stage


def to_text(trace: Trace, ways: Iterable[Way], *, coloured: bool) -> str:
    """Where from, where to, each hop, and what it comes to.

    ways   that others come to this host by: they are told of a published port
    """
    port = f" {trace.sent_port}" if trace.sent_port else ""
    lines = [f"{trace.source} → {trace.target}  {trace.protocol}{port}", ""]
    for hop in trace.hops:
        lines += _hop(hop, coloured=coloured)
    lines += ["", printable(trace.summary)]
    if trace.port is not None:
        others = format_ways(ways_to(trace.port.host_ip, ways))
        lines.append(f"port {trace.port.published} can be reached from: {others}")
        lines += [f"  but {printable(one)}" for one in trace.obstacles]
    return "\n".join(lines)


def _hop(hop: Hop, *, coloured: bool) -> Iterator[str]:
    mark, colour = _MARKS[hop.state]
    if coloured:
        mark = f"{colour}{mark}{_RESET}"
    yield f"  {mark} {hop.stage:<{_STAGE}} {printable(hop.said)}"
    indent = " " * (_STAGE + 7)
    yield from (f"{indent}{printable(detail)}" for detail in hop.details)
    if hop.hint:
        yield f"{indent}hint: {printable(hop.hint)}"
