"""What is known of the lease of an interface: a file that the client's script writes."""

from __future__ import annotations

import contextlib
import json
import os

from engine.kernel.record import Record

_NAME = "lease.json"


class Lease(Record):
    """An address for a time.

    address  with prefix length: 10.1.2.50/24
    gateway  "" where the server names none
    """

    address: str
    gateway: str


def directory_of(run_directory: str, interface: str) -> str:
    """Where the client of an interface has its files; `run_directory`: of the container."""
    return f"{run_directory}/dhcp-{interface}"


def read_lease(run_directory: str, interface: str) -> Lease | None:
    """The lease of an interface; None where it has none, or asks for none."""
    return read_lease_in(directory_of(run_directory, interface))


def read_lease_in(directory: str) -> Lease | None:
    """The same, from the directory of its client."""
    try:
        with open(f"{directory}/{_NAME}", encoding="utf-8") as file:
            return Lease(**json.load(file))
    except FileNotFoundError:
        return None


def write_lease(directory: str, lease: Lease | None) -> None:
    """In one step; None removes it."""
    path = f"{directory}/{_NAME}"
    if lease is None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        return
    with open(f"{path}.new", "w", encoding="utf-8") as file:
        json.dump(lease.values(), file)
    os.rename(f"{path}.new", path)
