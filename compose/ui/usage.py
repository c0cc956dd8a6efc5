"""What containers use, in words, as `docker stats` has them (cli.md 3)."""

from __future__ import annotations

from compose.ui.tables import format_scaled

TYPE_CHECKING = False
if TYPE_CHECKING:
    from engine import Container, Usage

TITLED = {
    "ID": "CONTAINER ID",
    "Name": "NAME",
    "CPUPerc": "CPU %",
    "MemUsage": "MEM USAGE / LIMIT",
    "MemPerc": "MEM %",
    "NetIO": "NET I/O",
    "BlockIO": "BLOCK I/O",
    "PIDs": "PIDS",
}
TITLES = tuple(TITLED.values())
_SHORT_ID = 12


def cells(
    container: Container, before: Usage | None, now: Usage | None, *, full: bool
) -> tuple[str, ...]:
    """One row: rates between two looks, else what has come together. None: it does not run."""
    container_id = container.id if full else container.id[:_SHORT_ID]
    if now is None:
        return container_id, container.name, "0.00%", *("0B / 0B", "0.00%"), *["0B / 0B"] * 2, "0"
    used, limit = now.memory_bytes or 0, now.memory_limit_bytes
    memory = f"{format_scaled(used, binary=True)} / {format_scaled(limit, binary=True)}"
    return (
        container_id,
        container.name,
        f"{_cpu_percent(before, now):.2f}%",
        memory,
        f"{100 * used / limit if limit else 0:.2f}%",
        _pair(now.received_bytes, now.sent_bytes),
        _pair(now.read_bytes, now.written_bytes),
        str(now.pids or 0),
    )


def fields(row: tuple[str, ...]) -> dict[str, str]:
    """The row with the keys of `docker stats --format json`."""
    named = dict(zip(TITLED, row, strict=True))
    return {"Container": named["ID"], **named}


def _cpu_percent(before: Usage | None, now: Usage) -> float:
    """Of one CPU: two that are busy are 200."""
    if before is None or before.cpu_ns is None or now.cpu_ns is None or now.at_s <= before.at_s:
        return 0.0
    return max(0.0, (now.cpu_ns - before.cpu_ns) / (now.at_s - before.at_s) / 1e7)


def _pair(first: int | None, second: int | None) -> str:
    return f"{format_scaled(first or 0)} / {format_scaled(second or 0)}"
