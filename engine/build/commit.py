"""An image of a container as it is: its image, and one layer of what has changed since."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.build.changes import apply_changes
from engine.build.document import config_document
from engine.build.stubs import ALWAYS, missing_stubs, remove_stubs
from engine.build.times import made_at
from engine.errors import ContainerProblem
from engine.kernel.record import Record

if TYPE_CHECKING:
    from engine.containers.observed import Container
    from engine.containers.spec import ContainerSpec
    from engine.engine import Engine
    from engine.images.config import ImageConfig
    from engine.images.image import Image

_OWN_LABELS = "com.docker.compose."  # whose container it was, which its image is not


class CommitSpec(Record):
    """How a container becomes an image.

    reference  what it is called; None: nothing
    changes    instructions of a Dockerfile, which its config is changed by
    pause      nothing of it runs meanwhile
    """

    reference: str | None = None
    author: str = ""
    message: str = ""
    changes: tuple[str, ...] = ()
    pause: bool = True


async def commit(engine: Engine, name_or_id: str, wanted: CommitSpec) -> Image:
    """Make the image. What is in its volumes is not part of it.

    Raises ContainerProblem, ImageProblem, and BuildProblem on a change that cannot be one.
    """
    container, spec = engine.containers.get(name_or_id), engine.containers.spec(name_or_id)
    base = engine.images.get(spec.image)
    if not base.chain_ids and base.lowers:
        raise ContainerProblem(
            f"container {container.name} was made from {base.id}, which has no layers",
            hint="`buoy export` writes its whole root filesystem, for `buoy image import`",
            code="not-committable",
        )
    config = apply_changes(_config(base.config, spec), wanted.changes)
    pausing = wanted.pause and container.status == "running"
    if pausing:
        await engine.containers.pause(container.id)
    try:
        with engine.images.hold():
            chain = _copy_layer(engine, container, spec, base)
            return _create(engine, base, chain, config, wanted, container)
    finally:
        if pausing:
            await engine.containers.unpause(container.id)


def _copy_layer(engine: Engine, container: Container, spec: ContainerSpec, base: Image) -> str:
    """Without the mount points that only its mounts have needed."""
    targets = (*ALWAYS, *(mount.target for mount in spec.mounts), *(f.target for f in spec.files))
    stubs = missing_stubs(base.lowers, targets)
    upper = f"{engine.roots.container(container.id)}/upper"
    return engine.images.copy_layer(
        upper, base.chain_ids, lambda copy: remove_stubs(copy, stubs, base.lowers)
    )


def _create(
    engine: Engine,
    base: Image,
    chain: str,
    config: ImageConfig,
    wanted: CommitSpec,
    container: Container,
) -> Image:
    document = engine.images.document(base.id)
    created = made_at(None)
    step = {"created": created, "created_by": " ".join(container.command)}
    step |= {"author": wanted.author} if wanted.author else {}
    step |= {"comment": wanted.message} if wanted.message else {}
    return engine.images.create(
        {
            **{key: document[key] for key in ("architecture", "os", "variant") if key in document},
            "created": created,
            **({"author": wanted.author} if wanted.author else {}),
            "config": config_document(config),
            "history": [*(document.get("history") or []), step],
        },
        [*base.chain_ids, chain],
        [wanted.reference] if wanted.reference else [],
    )


def _config(base: ImageConfig, spec: ContainerSpec) -> ImageConfig:
    """That of the image, with what the container was asked to be instead."""
    pairs = (entry.partition("=") for entry in base.env)
    environment = {**{name: value for name, _, value in pairs}, **spec.environment}
    labels = {k: v for k, v in spec.labels.items() if not k.startswith(_OWN_LABELS)}
    command = base.cmd if spec.entrypoint is None else None
    return base.replace(
        user=base.user if spec.user is None else spec.user,
        env=tuple(f"{name}={value}" for name, value in environment.items() if value is not None),
        entrypoint=base.entrypoint if spec.entrypoint is None else spec.entrypoint,
        cmd=command if spec.command is None else spec.command,
        working_dir=spec.working_dir or base.working_dir,
        labels={**base.labels, **labels},
        stop_signal=spec.stop_signal or base.stop_signal,
    )
