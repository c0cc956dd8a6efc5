"""The names table of a network: who is up on it, under which names, at which address.

One file per network in the run root, a line per running endpoint. Whoever changes it holds a
lock and renames a new file into place; whoever reads it compares (inode, mtime, size) first,
which costs one stat. It is the DNS of the network, and what kernel state is rebuilt from.
"""

from __future__ import annotations

import contextlib
import os

from engine.kernel.process import is_running, start_time
from engine.state.locks import locked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Version = tuple[int, int, int]

FILE = "names"
_LOCK = "lock"


class Entry:
    """One running endpoint.

    holder      `<pid>.<start time>` of the monitor that keeps it
    addresses   IPv4 first
    link        its veth in the host's namespace
    names       first the one that reverse lookups answer with
    published   `tcp/0.0.0.0:8080->80`, on the endpoint that published ports lead to
    """

    __slots__ = ("addresses", "container_id", "holder", "link", "names", "published")

    def __init__(
        self,
        *,
        addresses: tuple[str, ...],
        container_id: str,
        holder: str,
        link: str,
        names: tuple[str, ...],
        published: tuple[str, ...] = (),
    ) -> None:
        self.addresses = addresses
        self.container_id = container_id
        self.holder = holder
        self.link = link
        self.names = names
        self.published = published

    @property
    def alive(self) -> bool:
        """Whether its monitor still runs."""
        return is_alive(self.holder)

    def line(self) -> str:
        """Tab-separated fields; addresses, names and ports are separated by blanks."""
        addresses, lists = " ".join(self.addresses), (self.names, self.published)
        shown = (addresses, self.container_id, self.holder, self.link, *map(" ".join, lists))
        return "\t".join(shown)


def identity(pid: int) -> str:
    """The same for a process that runs."""
    return f"{pid}.{start_time(pid)}"


def is_alive(holder: str) -> bool:
    """Whether the process of that identity still runs."""
    pid, _, started = holder.partition(".")
    return pid.isdigit() and started.isdigit() and is_running(int(pid), int(started))


def read(directory: str) -> list[Entry]:
    """The endpoints that are up; none when the table is not there."""
    try:
        with open(f"{directory}/{FILE}", encoding="utf-8") as file:
            return [_parse(line) for line in file]
    except FileNotFoundError:
        return []


def version(directory: str) -> Version:
    """What changes whenever the table does."""
    try:
        found = os.stat(f"{directory}/{FILE}")
    except FileNotFoundError:
        return (0, 0, 0)
    return found.st_ino, found.st_mtime_ns, found.st_size


def put(directory: str, entry: Entry) -> None:
    """Add an endpoint, in place of an earlier line of the same container."""
    with _changing(directory) as entries:
        entries[:] = [e for e in entries if e.container_id != entry.container_id]
        entries.append(entry)


def drop(directory: str, container_id: str) -> None:
    """Take a container's endpoint out; accepts absence."""
    keep(directory, lambda entry: entry.container_id != container_id)


def keep(directory: str, wanted: Callable[[Entry], bool]) -> None:
    """Take out every endpoint that is not wanted."""
    if all(map(wanted, read(directory))):
        return
    with _changing(directory) as entries:
        entries[:] = list(filter(wanted, entries))


def remove(directory: str) -> None:
    """Take the table away with its network; accepts absence."""
    for name in (FILE, f".{FILE}", _LOCK):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(f"{directory}/{name}")
    with contextlib.suppress(OSError):  # it is not there, or somebody has just come
        os.rmdir(directory)


@contextlib.contextmanager
def _changing(directory: str) -> Iterator[list[Entry]]:
    os.makedirs(directory, mode=0o711, exist_ok=True)
    with locked(f"{directory}/{_LOCK}"):
        entries = read(directory)
        yield entries
        fresh = f"{directory}/.{FILE}"  # one at a time: we hold the lock
        with open(fresh, "w", encoding="utf-8") as file:
            file.writelines(f"{entry.line()}\n" for entry in entries)
        os.rename(fresh, f"{directory}/{FILE}")


def _parse(line: str) -> Entry:
    addresses, container_id, holder, link, names, published = line.rstrip("\n").split("\t")
    return Entry(
        addresses=tuple(addresses.split()),
        container_id=container_id,
        holder=holder,
        link=link,
        names=tuple(names.split()),
        published=tuple(published.split()),
    )
