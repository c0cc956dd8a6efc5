"""Starts the process that copies, and says what came of it."""

from __future__ import annotations

import asyncio
import json
import os
from typing import TYPE_CHECKING

from engine.containers.copying.copier import STREAM
from engine.containers.copying.view import BUSY
from engine.containers.mending import mend
from engine.containers.mounts import user_mounts
from engine.containers.observe import observe_state
from engine.containers.record import EMPTY_LOWER
from engine.containers.remap import host_root
from engine.containers.spec import load_spec
from engine.containers.starting import is_started, make_directories, surroundings
from engine.containers.unmounting import unmount_volumes
from engine.errors import ContainerProblem
from engine.kernel.interpreter import command_line
from engine.kernel.mountoptions import MountOptions

if TYPE_CHECKING:
    import sqlite3
    from typing import Any

    from engine.containers.containers import Containers
    from engine.containers.spec import ContainerSpec

    Job = dict[str, Any]


async def copy(containers: Containers, row: sqlite3.Row, job: Job) -> tuple[str, ...]:
    """Have a copy made; what was left out of it, in words. Raises ContainerProblem.

    job  of engine.containers.copying.copier, but for the view of the container
    """
    while True:
        view = await _view(containers, row, reading=job["out"])
        try:
            result = await _perform(row, {**job, "view": view})
        finally:
            if "pid" not in view:
                unmount_volumes(containers, row)
        if result.get("code") != BUSY:
            return _left_out(row, job, result)


def _left_out(row: sqlite3.Row, job: Job, result: Job) -> tuple[str, ...]:
    if "broken_pipe" in result:
        raise BrokenPipeError
    if "code" in result:
        raise ContainerProblem(
            f"container {row['name']}: cannot copy: {result['what']}",
            where=result["where"] or None,
            hint=result["hint"] or None,
            code=result["code"],
        )
    return tuple(f"{name}: {why}, left out" for name, why in result["left_out"])


async def _view(containers: Containers, row: sqlite3.Row, *, reading: bool) -> Job:
    """What `view.open_view` takes."""
    roots, container_id = containers.roots, row["id"]
    spec = load_spec(row["spec"], name=row["name"])
    if not await is_started(containers, container_id):
        mend(containers, row)
        return _stopped_view(containers, row, spec)
    state = observe_state(roots, container_id, row["started_at"])
    target = state.get("target")
    if state["status"] != "restarting" and target:
        first = host_root(spec)
        return {"pid": target["pid"], "started": target["started"], "first": first}
    if not reading:
        raise ContainerProblem(
            f"container {row['name']} is restarting: nothing can be copied into it now",
            hint="`buoy stop` keeps it still",
            code="container-restarting",
        )
    return {**_stopped_view(containers, row, spec), "run_directory": None}


def _stopped_view(containers: Containers, row: sqlite3.Row, spec: ContainerSpec) -> Job:
    roots, container_id = containers.roots, row["id"]
    directory, run_directory = roots.container(container_id), roots.container_run(container_id)
    make_directories(roots, container_id)
    lowers = list(spec.lowers or containers.parts.images.get(spec.image).lowers)
    around = surroundings(containers, spec, {}, {}, container_id)
    binds = [
        entry
        for entry in user_mounts(roots, container_id, spec, around)
        if MountOptions(entry["options"]).is_bind and os.path.exists(entry["source"])
    ]
    return {
        "run_directory": run_directory,
        "place": f"{run_directory}/rootfs",
        "lowers": lowers or [f"{directory}/{EMPTY_LOWER}"],
        "upper": f"{directory}/upper",
        "work": f"{directory}/work",
        "mounts": binds,
        "read_only": spec.read_only,
        "first": (0, 0),  # on the disk, the ids are those of the container
    }


async def _perform(row: sqlite3.Row, job: Job) -> Job:
    sheet_fd = os.memfd_create("copy")
    with open(sheet_fd, "r+", encoding="utf-8", errors="surrogateescape") as sheet:  # noqa: ASYNC230 - memory
        json.dump(job, sheet)
        sheet.flush()
        sheet.seek(0)
        errors = await _run_child(sheet_fd, job)
        sheet.seek(0)
        result: Job = json.load(sheet)
    if "view" in result:
        raise RuntimeError(f"copying {row['name']} failed:\n{errors.decode(errors='replace')}")
    return result


async def _run_child(sheet_fd: int, job: Job) -> bytes:
    """What it wrote to stderr. Interrupted, it takes away what it has half made."""
    streamed = job["outside"] == STREAM
    child = await asyncio.create_subprocess_exec(
        *command_line("engine.containers.copying.copier", sheet_fd, os.getpid()),
        stdin=None if streamed and not job["out"] else asyncio.subprocess.DEVNULL,
        stdout=None if streamed and job["out"] else asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        pass_fds=(sheet_fd,),
        env={},
        start_new_session=True,
    )
    try:
        return (await child.communicate())[1]
    except asyncio.CancelledError:
        child.terminate()
        await child.wait()
        raise
