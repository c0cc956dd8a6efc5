"""Against the registry that most registries are: Debian's docker-registry, filled by skopeo."""

from __future__ import annotations

import socket
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.marks import needs_program, needs_root

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.images.images import Images

pytestmark = [needs_root, needs_program("docker-registry"), needs_program("skopeo")]


@pytest.fixture
def registry_host(tmp_path: Path) -> Iterator[str]:
    """A docker-registry with a directory of its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{probe.getsockname()[1]}"
    config = tmp_path / "registry.yml"
    config.write_text(
        "version: 0.1\nlog: {level: error}\n"
        f"storage: {{filesystem: {{rootdirectory: {tmp_path}/registry}}}}\n"
        f"http: {{addr: '{host}'}}\n"
    )
    with (tmp_path / "registry.log").open("wb") as log:
        server = subprocess.Popen(["docker-registry", "serve", config], stdout=log, stderr=log)
    try:
        _wait_for(host)
        yield host
    finally:
        server.terminate()
        server.wait()


def _wait_for(host: str) -> None:
    address, _, port = host.partition(":")
    deadline = time.monotonic() + 10
    while True:
        try:
            socket.create_connection((address, int(port))).close()
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return


def push(source: str, reference: str, tmp_path: Path, *options: str) -> None:
    policy = tmp_path / "policy.json"
    policy.write_text('{"default": [{"type": "insecureAcceptAnything"}]}')
    command = ["skopeo", "--policy", str(policy), "copy", "-q", "--dest-tls-verify=false", *options]
    subprocess.run([*command, source, f"docker://{reference}"], check=True)


@pytest.mark.parametrize(
    "options",
    [
        ("--format", "oci"),
        ("--format", "v2s2"),
        ("--format", "oci", "--dest-compress-format", "zstd"),
    ],
    ids=["oci", "docker", "zstd"],
)
def test_what_skopeo_pushed_is_pulled(
    *,
    images: Images,
    registry_host: str,
    busybox_tar: Path,
    tmp_path: Path,
    options: tuple[str, ...],
) -> None:
    reference = f"{registry_host}/test/busybox:1"
    push(f"docker-archive:{busybox_tar}", reference, tmp_path, *options)
    pulled = images.pull(reference)
    (loaded,) = images.load(str(busybox_tar))
    assert pulled.config == loaded.config
    assert pulled.lowers == loaded.lowers  # the same content is the same layer
    assert Path(pulled.lowers[0], "bin/busybox").stat().st_mode & 0o111


def test_the_digest_is_the_registrys(
    images: Images, registry_host: str, busybox_tar: Path, tmp_path: Path
) -> None:
    reference = f"{registry_host}/test/busybox:1"
    push(f"docker-archive:{busybox_tar}", reference, tmp_path)
    command = ["skopeo", "inspect", "--tls-verify=false", f"docker://{reference}"]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    pulled = images.pull(reference)
    assert f'"Digest": "{pulled.manifest_digest}"' in said
    assert images.pull(f"{registry_host}/test/busybox@{pulled.manifest_digest}").id == pulled.id
