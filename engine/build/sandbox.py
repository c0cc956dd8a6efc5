"""The containers that steps run in (engine.md D6.13)."""

from __future__ import annotations

import os
import secrets
from typing import TYPE_CHECKING

from engine.build.state import DEFAULT_PATH
from engine.containers.spec import ContainerSpec, EndpointSpec, HealthcheckSpec
from engine.kernel.process import start_time
from engine.network.transient import BUILD

if TYPE_CHECKING:
    from engine.build.job import Job
    from engine.build.provide import Provided
    from engine.build.state import StageState
    from engine.engine import Engine

HOSTNAME = "buildkitsandbox"
OWNER_LABEL = "buoy.build.owner"  # "pid start-time" of the command that runs the build
ENDED = ("exited", "dead")
_NO_HEALTHCHECK = HealthcheckSpec(test=("NONE",))


def container_spec(
    job: Job,
    state: StageState,
    lowers: tuple[str, ...],
    provided: Provided,
    *,
    network: str,
    privileged: bool = False,
) -> ContainerSpec:
    """A container as RUN has it in this state, but for its command."""
    spec, config = job.spec, state.config
    environment = {
        "HOSTNAME": None,
        "PATH": DEFAULT_PATH,
        **job.proxies,
        **state.variables,
        **provided.environment,
    }
    modes = {"none": "none", "host": "host"}
    joined = BUILD if network == "default" else network
    return ContainerSpec(
        name=f"{BUILD}-{secrets.token_hex(6)}",
        image="",
        lowers=lowers,
        entrypoint=(),
        environment=environment,
        working_dir=state.directory,
        user=config.user or None,
        hostname=spec.args.get("BUILDKIT_SANDBOX_HOSTNAME", HOSTNAME),
        labels={OWNER_LABEL: f"{os.getpid()} {start_time(os.getpid())}"},
        mounts=provided.mounts,
        files=provided.files,
        privileged=privileged,
        network=modes.get(network, "networks"),
        endpoints=() if network in modes else (EndpointSpec(network=joined),),
        extra_hosts=spec.extra_hosts,
        healthcheck=_NO_HEALTHCHECK,
        ulimits=spec.ulimits,
        shm_size_bytes=spec.shm_size_bytes,
    )


def drop_network(engine: Engine) -> None:
    """The network of RUN goes when no build is on it; where there is none, none is looked for: all
    that networks import takes as long as a build in which nothing is new."""
    if engine.db.execute("SELECT 1 FROM networks WHERE name = ?", (BUILD,)).fetchone():
        engine.networks.drop_idle(BUILD)


async def remove_abandoned(job: Job) -> None:
    """Containers of builds whose command was killed."""
    for container in job.engine.containers.list():
        pid, _, started = container.labels.get(OWNER_LABEL, "").partition(" ")
        if pid and str(start_time(int(pid))) != started:
            await put_away(job, container.id)


async def put_away(job: Job, container_id: str) -> None:
    """Stop and remove a container; accepts absence."""
    containers = job.engine.containers
    found = containers.find(container_id)
    if found is None:
        return
    if found.status not in (*ENDED, "created"):
        await containers.stop(container_id, grace_s=0)
    containers.remove(container_id, volumes=True)
