"""When things were made: now, or at the moment that SOURCE_DATE_EPOCH says, so that the same is
made again to the bit (reproducible-builds.org, engine.md D7.5)."""

from __future__ import annotations

import asyncio
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from engine.errors import BuildProblem

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from engine.build.job import Job

VARIABLE = "SOURCE_DATE_EPOCH"


def parse_epoch(arguments: Mapping[str, str]) -> int | None:
    """Seconds since 1970, of the build argument; None without. Raises BuildProblem."""
    text = arguments.get(VARIABLE, "")
    if not text:
        return None
    try:
        epoch_s = int(text)
        datetime.fromtimestamp(epoch_s, UTC)
    except (ValueError, OverflowError, OSError):
        raise BuildProblem(
            f"{VARIABLE} is `{text}`; it takes a number of seconds since 1970",
            hint="git log -1 --format=%ct",
            code="invalid-epoch",
        ) from None
    return epoch_s


def made_at(epoch_s: int | None) -> str:
    """RFC 3339, in whole seconds: now, without an epoch."""
    moment = datetime.now(UTC) if epoch_s is None else datetime.fromtimestamp(epoch_s, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


async def keep_layer(job: Job, upper: str, parents: Sequence[str]) -> str | None:
    """What a step has written as a layer on `parents`; None where that is nothing."""
    return await asyncio.to_thread(_keep, job, upper, parents)


def _keep(job: Job, upper: str, parents: Sequence[str]) -> str | None:
    if not os.listdir(upper):
        return None
    if job.epoch_s is not None:
        clamp_times(upper, job.epoch_s)
    return job.engine.images.add_layer(upper, parents)


def clamp_times(directory: str, epoch_s: int) -> None:
    """Nothing below is newer than the epoch. What is older stays as it is: that is of the source,
    or the base image."""
    for path, names, files in os.walk(directory):
        for name in (*names, *files):
            own = f"{path}/{name}"
            if os.lstat(own).st_mtime > epoch_s:
                os.utime(own, (epoch_s, epoch_s), follow_symlinks=False)
