"""Removing a container: its cgroup, addresses, record, files and anonymous volumes."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import threading
from typing import TYPE_CHECKING

from engine.containers.mending import remove_cgroup
from engine.containers.observe import ALIVE, observe_container
from engine.containers.rows import note_event, users_of_volume, volumes_of
from engine.containers.unmounting import unmount_volumes
from engine.errors import ContainerProblem
from engine.kernel.removal import remove_tree

if TYPE_CHECKING:
    import sqlite3

    from engine.containers.containers import Containers
    from engine.state.paths import Roots

_DOOMED = "container-"  # in the temporary directory: to be deleted


def remove(containers: Containers, row: sqlite3.Row, *, volumes: bool) -> threading.Thread:
    """Delete a container that does not run. Its files go meanwhile, in the returned thread.

    Raises ContainerProblem.
    """
    roots = containers.roots
    container = observe_container(roots, row)
    if container.status in ALIVE:
        raise ContainerProblem(
            f"container {container.name} is {container.status} and cannot be removed",
            hint="stop it first",
            code="container-running",
        )
    remove_cgroup(roots, row["id"])
    containers.parts.networks.detach(row["id"])
    unmount_volumes(containers, row)
    containers.db.execute("DELETE FROM containers WHERE id = ?", (row["id"],))
    if container.plugged:
        containers.parts.networks.plugs.sweep_unused()
    deleting = _delete_directories(roots, row["id"])
    if volumes:
        _remove_anonymous(containers, volumes_of(json.loads(row["spec"])))
    note_event(containers.db, "destroy", row["id"], {"name": row["name"]})
    return deleting


def _delete_directories(roots: Roots, container_id: str) -> threading.Thread:
    """The durable one is renamed first: half of it would look like a container."""
    os.makedirs(roots.temporary, mode=0o700, exist_ok=True)
    with contextlib.suppress(FileNotFoundError):
        os.rename(roots.container(container_id), f"{roots.temporary}/{_DOOMED}{container_id}")
    shutil.rmtree(roots.container_run(container_id), ignore_errors=True)
    thread = threading.Thread(target=_delete_doomed, args=(roots.temporary,))
    thread.start()
    return thread


def _delete_doomed(temporary: str) -> None:
    """Unlinking waits for the disk (20 ms a container): the command goes on meanwhile.

    What a killed command has left goes as well.
    """
    for name in os.listdir(temporary):
        if name.startswith(_DOOMED):
            with contextlib.suppress(OSError):
                remove_tree(f"{temporary}/{name}")


def _remove_anonymous(containers: Containers, names: set[str]) -> None:
    for name in names:
        volume = containers.parts.volumes.find(name)
        if volume is not None and volume.anonymous and not users_of_volume(containers.db, name):
            containers.parts.volumes.remove(name)
