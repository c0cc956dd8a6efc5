"""Exporting a root filesystem: what a container, or one made from an image, would see as `/`."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING, BinaryIO

from engine.containers.exporter import BROKEN_PIPE, ENDED, NOT_WRITTEN
from engine.containers.observe import observe_state
from engine.containers.record import EMPTY_LOWER
from engine.containers.spec import load_spec
from engine.containers.starting import make_directories
from engine.kernel.interpreter import command_line

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from engine.containers.containers import Containers


def export_container(containers: Containers, row: sqlite3.Row, out: BinaryIO) -> None:
    """Write the tar to `out`, which has a descriptor. What is mounted in it is left out."""
    state = observe_state(containers.roots, row["id"], row["started_at"])
    target = state.get("target")
    if target and state["status"] != "restarting":
        view = {"pid": target["pid"], "started": target["started"]}
        if _write(view, out) != ENDED:
            return
    make_directories(containers.roots, row["id"])
    spec = load_spec(row["spec"], name=row["name"])
    directory = containers.roots.container(row["id"])
    lowers = spec.lowers or containers.parts.images.get(spec.image).lowers
    export_layers(
        containers, lowers or [f"{directory}/{EMPTY_LOWER}"], out, upper=f"{directory}/upper"
    )


def export_layers(
    containers: Containers, lowers: Sequence[str], out: BinaryIO, upper: str = ""
) -> None:
    """The same of layers (top first), as of an image."""
    place = containers.roots.run_root
    os.makedirs(place, exist_ok=True)
    _write({"lowers": list(lowers), "upper": upper, "place": place}, out)


def _write(view: dict[str, object], out: BinaryIO) -> int:
    out.flush()
    child = subprocess.run(
        command_line("engine.containers.exporter", json.dumps(view), os.getpid()),
        stdin=subprocess.DEVNULL,
        stdout=out,
        stderr=subprocess.PIPE,
        env={},
        check=False,
    )
    if child.returncode == BROKEN_PIPE:
        raise BrokenPipeError
    if child.returncode == NOT_WRITTEN:
        code = int(child.stderr)
        raise OSError(code, os.strerror(code))
    if child.returncode not in (0, ENDED):
        raise RuntimeError(f"the exporter failed:\n{child.stderr.decode(errors='replace')}")
    return child.returncode
