"""The fields of tar headers and the records of pax ones, strictly. Standard library only."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

XATTR = b"SCHILY.xattr."


class BadArchive(Exception):
    """The stream is not a tar archive that can be read to its end."""


def parse_records(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Of a pax header: `<length> <key>=<value>\\n` each."""
    position = 0
    while position < len(data):
        space = data.find(b" ", position, position + 20)
        length = parse_decimal(data[position:space]) if space > 0 else 0
        record = data[space + 1 : position + length]
        key, equals, value = record[:-1].partition(b"=")
        whole = position + length <= len(data) and record[-1:] == b"\n"
        if not whole or not equals or not key or b"\0" in key:
            raise BadArchive("a PAX record is malformed")
        if b"\0" in value and not key.startswith(XATTR):
            raise BadArchive(f"the PAX record {shown(key)} contains a NUL")
        yield key, value
        position += length


def parse_number(field: bytes) -> int:
    """Octal text, or base 256 where the first bit is set."""
    if field[0] & 0x80:
        value = int.from_bytes(field, "big") & ~(1 << (8 * len(field) - 1))
        if field[0] & 0x40:  # negative, in two's complement
            value -= 1 << (8 * len(field) - 1)
        return value
    text = field.split(b"\0")[0].strip(b" ")
    if not text:
        return 0
    if text.strip(b"01234567"):
        raise BadArchive(f"{text!r} is not an octal number")
    return int(text, 8)


def parse_decimal(text: bytes) -> int:
    """Digits, of a number that is not negative."""
    if not text.isdigit() or len(text) > 20:
        raise BadArchive(f"{text[:40]!r} is not a number")
    return int(text)


def parse_nanoseconds(text: bytes) -> int:
    """`-1.5` -> -1_500_000_000."""
    whole, _, fraction = text.partition(b".")
    negative = whole.startswith(b"-")
    seconds = parse_decimal(whole.lstrip(b"-") or b"0")
    total = seconds * 1_000_000_000 + parse_decimal(fraction[:9].ljust(9, b"0"))
    return -total if negative else total


def text_of(field: bytes) -> bytes:
    """What is before the first NUL."""
    return field.split(b"\0", 1)[0]


def shown(name: bytes) -> str:
    """As it is in a message."""
    return repr(name.decode(errors="backslashreplace"))
