"""Files that are made for a container, as its secrets are."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine import ContainerProblem, FileSpec, Mount
from tests.marks import needs_root

if TYPE_CHECKING:
    from tests.engine.containers.dock import Dock

pytestmark = needs_root

TOKEN = FileSpec(
    target="/run/secrets/token", content="s3cret\n", uid=1000, gid=100, mode=0o440, secret=True
)
CONFIG = FileSpec(target="/etc/app.conf", content="a = 1\n")


def test_they_are_there_with_owner_and_mode_and_cannot_be_written(dock: Dock) -> None:
    ended = dock.sh(
        "cat /run/secrets/token /etc/app.conf;"
        " stat -c '%u %g %a' /run/secrets/token /etc/app.conf;"
        " echo x > /etc/app.conf || echo refused",
        files=(TOKEN, CONFIG),
    )
    assert ended.lines == ["s3cret", "a = 1", "1000 100 440", "0 0 444", "refused"]


def test_they_are_there_where_the_root_is_read_only_and_below_other_mounts(dock: Dock) -> None:
    ended = dock.sh(
        "cat /run/secrets/token",
        files=(TOKEN,),
        mounts=(Mount(type="tmpfs", target="/run"),),
        read_only=True,
    )
    assert ended.lines == ["s3cret"]


def test_a_secret_is_in_memory_alone(dock: Dock) -> None:
    container = dock.idle(files=(TOKEN, CONFIG))
    roots = dock.engine.roots
    row = dock.engine.db.execute("SELECT spec FROM containers").fetchone()
    assert [file["content"] for file in json.loads(row["spec"])["files"]] == [None, "a = 1\n"]
    durable = [path for path in Path(roots.root).rglob("*") if path.is_file()]
    kept = [path for path in durable if not path.is_relative_to(roots.run_root)]
    assert not [path for path in kept if b"s3cret" in path.read_bytes()]
    directory = Path(dock.run_directory(container), "files")
    assert directory.stat().st_mode & 0o777 == 0o700


def test_they_outlive_a_restart_of_the_container(dock: Dock) -> None:
    container = dock.create("sh", "-c", "cat /run/secrets/token", files=(TOKEN,))
    for _ in range(2):
        assert dock.end_of(dock.start_again(container)).lines[-1] == "s3cret"


def test_after_a_restart_of_the_machine_a_secret_has_to_be_given_again(dock: Dock) -> None:
    container = dock.create("cat", "/run/secrets/token", "/etc/app.conf", files=(TOKEN, CONFIG))
    shutil.rmtree(dock.run_directory(container))
    with pytest.raises(ContainerProblem) as caught:
        dock.start_again(container)
    assert caught.value.code == "secret-lost"
    dock.engine.containers.provide(container.id, (TOKEN, CONFIG))
    assert dock.end_of(dock.start_again(container)).lines == ["s3cret", "a = 1"]


def test_they_go_with_the_container(dock: Dock) -> None:
    container = dock.create("true", files=(TOKEN,))
    assert Path(dock.run_directory(container), "files/0").exists()
    dock.engine.containers.remove(container.id)
    assert not Path(dock.run_directory(container)).exists()
