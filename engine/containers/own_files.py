"""hosts, hostname and resolv.conf of a container (engine.md A8, B6.10).

They are bind-mounted: they are rewritten in place, never replaced.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from engine.containers.program import hostname_of
from engine.network.hosts import hosts_file
from engine.network.resolv import resolv_conf

if TYPE_CHECKING:
    from engine.containers.spec import ContainerSpec

_MOST_BYTES = 1 << 16  # what is beyond has not been written by us


def write_own_files(
    directory: str, container_id: str, spec: ContainerSpec, network: dict[str, Any]
) -> None:
    """Before a start."""
    _write(f"{directory}/hosts", hosts_file(network))
    _write(f"{directory}/hostname", f"{hostname_of(container_id, spec)}\n")
    write_resolv_conf(directory, spec, network)


def write_resolv_conf(directory: str, spec: ContainerSpec, network: dict[str, Any]) -> None:
    """That of a container that may run. One that was edited inside it stays as it is."""
    shown, written = f"{directory}/resolv.conf", f"{directory}/resolv.conf.written"
    if _read(written) in (None, _read(shown)):
        text = resolv_conf(network, spec)
        _write(shown, text)
        _write(written, text)


def _read(path: str) -> bytes | None:
    try:
        with open(path, "rb") as file:
            return file.read(_MOST_BYTES)
    except FileNotFoundError:
        return None


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="utf-8") as file:
        os.fchmod(file.fileno(), 0o644)
        file.write(text)
