"""Recording a new container, and its name."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import time
from typing import TYPE_CHECKING

from engine.containers.files import place_files, without_secrets
from engine.containers.remap import settled
from engine.containers.rows import forget_old_events, note_event
from engine.containers.spec import ContainerSpec, Mount
from engine.errors import ContainerProblem
from engine.network.ports import require_sctp
from engine.state.db import transaction

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from engine.containers.containers import Containers
    from engine.images.image import Image

_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+")


def create(containers: Containers, spec: ContainerSpec) -> str:
    """The id of a new container; its volumes are made. Raises ContainerProblem."""
    _check_name(spec.name)
    _check_words(spec)
    if any(port.protocol == "sctp" for port in spec.ports):
        require_sctp(spec.name)
    image = None if spec.lowers else containers.parts.images.get(spec.image)
    container_id = _new_id()
    described = _with_volumes(containers, spec, image.config.volumes if image else ())
    with transaction(containers.db) as db:
        for image_id in _images(image, described):  # nobody can remove them from now on
            containers.parts.images.get(image_id)
        try:
            db.execute(
                "INSERT INTO containers (id, name, image_id, labels, spec, created_at)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (
                    container_id,
                    spec.name,
                    image.id if image else None,
                    json.dumps(dict(spec.labels)),
                    json.dumps(described),
                    time.time(),
                ),
            )
        except sqlite3.IntegrityError:
            hint = "remove or rename the other container"
            raise _name_taken(spec.name, hint) from None
    place_files(containers.roots, container_id, spec.files)
    forget_old_events(containers.db)
    attributes = {"name": spec.name, "labels": dict(spec.labels)}
    note_event(containers.db, "create", container_id, attributes)
    return container_id


def rename(containers: Containers, container_id: str, name: str) -> None:
    """Give a container another name. Raises ContainerProblem."""
    _check_name(name)
    try:
        containers.db.execute("UPDATE containers SET name = ? WHERE id = ?", (name, container_id))
    except sqlite3.IntegrityError:
        raise _name_taken(name, None) from None
    note_event(containers.db, "rename", container_id, {"name": name})


def _images(image: Image | None, described: Mapping[str, Any]) -> list[str]:
    """Ids of the images that a container needs: its own, and those that it mounts."""
    mounted = [mount["source"] for mount in described["mounts"] if _shows_image(mount)]
    return mounted if image is None else [image.id, *mounted]


def _shows_image(mount: Mapping[str, Any]) -> bool:
    return mount["type"] == "image" and not mount["lowers"]


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise ContainerProblem(
            f"`{name}` cannot be the name of a container",
            hint="letters, digits, `_`, `.` and `-`, with a letter or digit first",
            code="container-name",
        )


def _check_words(spec: ContainerSpec) -> None:
    """What goes into hosts, hostname and resolv.conf: each is a word of a line there."""
    names = [spec.hostname or "", spec.domainname or "", *sum(spec.extra_hosts, ())]
    for word in (*names, *spec.dns, *spec.dns_search, *spec.dns_options):
        if not word.isprintable() or any(map(str.isspace, word)):
            raise ContainerProblem(
                f"container {spec.name}: {word!r} has a blank or a control character in it",
                hint="names and addresses are single words",
                code="name-invalid",
            )


def _name_taken(name: str, hint: str | None) -> ContainerProblem:
    return ContainerProblem(f"the container name `{name}` is taken", hint=hint, code="name-taken")


def _with_volumes(
    containers: Containers, spec: ContainerSpec, image_volumes: tuple[str, ...]
) -> dict[str, Any]:
    """The spec as JSON, each volume made and named, each image found; the volumes of its image
    that are not mounted over become anonymous ones."""
    described = spec.plain()
    described["userns"] = settled(spec)
    described["files"] = without_secrets(described["files"])
    targets = {os.path.normpath(mount.target) for mount in spec.mounts}
    described["mounts"] = list(described["mounts"]) + [
        Mount(type="volume", target=path).plain() for path in image_volumes if path not in targets
    ]
    volumes = containers.parts.volumes
    for mount in described["mounts"]:
        if mount["type"] == "volume":
            mount["source"] = volumes.create(mount["source"] or None).name
        elif _shows_image(mount):
            mount["source"] = containers.parts.images.get(mount["source"]).id
    return described


def _new_id() -> str:
    """64 hex digits, of which the first 12 are not all decimal: they would look like a number."""
    import secrets

    while (container_id := secrets.token_hex(32))[:12].isdecimal():
        pass
    return container_id
