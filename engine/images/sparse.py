"""Where the data of a sparse file is, in the formats that tar has for it. Standard library only.

Source: GNU tar manual, "Storing Sparse Files".
"""

from __future__ import annotations

from engine.images.fields import BadArchive, parse_number, shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from engine.images.tar import Entry

MOST_EXTENTS = 1_000_000


def fixed_pairs(data: bytes) -> list[tuple[int, int]]:
    """Of the old GNU format: fields of 12 bytes, ended by an empty one."""
    found = []
    for start in range(0, len(data) - 23, 24):
        if data[start] == 0:
            break
        found.append(
            (parse_number(data[start : start + 12]), parse_number(data[start + 12 : start + 24]))
        )
    return found


def pairs(numbers: list[int]) -> list[tuple[int, int]]:
    """Offsets and sizes that alternate."""
    if len(numbers) % 2:
        raise BadArchive("the map of a sparse file has an odd number of numbers")
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def check_extents(entry: Entry) -> None:
    """Raises BadArchive where pieces overlap, or do not fit the file or its data."""
    end = 0
    for offset, size in entry.extents or ():
        if offset < end or size < 0:
            raise BadArchive(f"the map of the sparse file {shown(entry.name)} is not in order")
        end = offset + size
    if end > entry.length or sum(size for _, size in entry.extents or ()) != entry.size:
        raise BadArchive(f"the map of the sparse file {shown(entry.name)} does not fit its data")
