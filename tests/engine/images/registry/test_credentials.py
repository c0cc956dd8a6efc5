"""Credentials where docker and podman keep them, and challenges as registries write them."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

import pytest

from engine.errors import ImageProblem
from engine.images.registry.challenge import parse_challenges
from engine.images.registry.credentials import Credentials, find_credentials

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[object], None]:
    """Writes a config.json that is the only one."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    for name in ("DOCKER_AUTH_CONFIG", "REGISTRY_AUTH_FILE", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)

    def write(document: object) -> None:
        (tmp_path / "config.json").write_text(json.dumps(document))

    return write


@pytest.fixture
def helper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Puts a credential helper on PATH: a shell script."""

    def make(name: str, script: str) -> None:
        program = tmp_path / f"docker-credential-{name}"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    return make


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def test_without_any_file_there_are_none(config: Callable[[object], None]) -> None:
    assert find_credentials("docker.io") is None


@pytest.mark.parametrize(
    ("key", "domain"),
    [
        ("https://index.docker.io/v1/", "docker.io"),
        ("docker.io", "docker.io"),
        ("ghcr.io", "ghcr.io"),
        ("https://ghcr.io/v2/", "ghcr.io"),
        ("localhost:5000", "localhost:5000"),
    ],
)
def test_keys_are_matched_by_host(config: Callable[[object], None], key: str, domain: str) -> None:
    config({"auths": {"other.io": {"auth": encoded("a:b")}, key: {"auth": encoded("me:pass:w\0")}}})
    assert find_credentials(domain) == Credentials(user="me", password="pass:w")
    assert find_credentials("nowhere.io") is None


def test_an_empty_entry_is_none(config: Callable[[object], None]) -> None:
    config({"auths": {"ghcr.io": {}}})
    assert find_credentials("ghcr.io") is None


def test_the_environment_comes_first(
    config: Callable[[object], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    config({"auths": {"ghcr.io": {"auth": encoded("file:x")}}})
    document = {"auths": {"ghcr.io": {"auth": encoded("env:x")}}}
    monkeypatch.setenv("DOCKER_AUTH_CONFIG", json.dumps(document))
    found = find_credentials("ghcr.io")
    assert found is not None
    assert found.user == "env"


def test_a_helper_is_asked_for_its_registry(
    config: Callable[[object], None], helper: Callable[[str, str], None]
) -> None:
    helper(
        "here", """read -r server; echo "{\\"Username\\":\\"$server\\",\\"Secret\\":\\"s\\"}\""""
    )
    config({"credHelpers": {"ghcr.io": "here"}, "auths": {"ghcr.io": {"auth": encoded("a:b")}}})
    assert find_credentials("ghcr.io") == Credentials(user="ghcr.io", password="s")


def test_a_store_that_knows_nothing_is_not_an_error(
    config: Callable[[object], None], helper: Callable[[str, str], None]
) -> None:
    helper("store", 'echo "credentials not found in native keychain"; exit 1')
    config({"credsStore": "store"})
    assert find_credentials("docker.io") is None


def test_a_token_of_a_helper_is_an_identity_token(
    config: Callable[[object], None], helper: Callable[[str, str], None]
) -> None:
    helper("store", """echo '{"Username":"<token>","Secret":"refresh"}'""")
    config({"credsStore": "store"})
    assert find_credentials("docker.io") == Credentials(identity_token="refresh")


def test_a_broken_helper_and_a_broken_file_are_named(
    *,
    config: Callable[[object], None],
    helper: Callable[[str, str], None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    helper("bad", "echo no keyring; exit 3")
    config({"credsStore": "bad"})
    with pytest.raises(ImageProblem, match="docker-credential-bad failed: no keyring"):
        find_credentials("docker.io")
    helper("bad", "exit 3")
    with pytest.raises(ImageProblem, match="docker-credential-bad failed: it ended with 3"):
        find_credentials("docker.io")
    helper("bad", "exec sleep 20")
    monkeypatch.setattr("engine.images.registry.credential_helpers._TIMEOUT_S", 0.1)
    with pytest.raises(ImageProblem, match="docker-credential-bad failed: it does not end"):
        find_credentials("docker.io")
    config({"credsStore": "missing"})
    with pytest.raises(ImageProblem, match="docker-credential-missing"):
        find_credentials("docker.io")
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(ImageProblem) as caught:
        find_credentials("docker.io")
    assert caught.value.where == str(tmp_path / "config.json")


def test_several_challenges_are_told_apart() -> None:
    header = (
        'Bearer realm="https://a/t",service="x, \\"y\\"",scope="repository:a:pull", Basic realm=b'
    )
    bearer, basic = parse_challenges([header])
    assert bearer.scheme == "bearer"
    assert bearer.parameters == {
        "realm": "https://a/t",
        "service": 'x, "y"',
        "scope": "repository:a:pull",
    }
    assert (basic.scheme, basic.parameters) == ("basic", {"realm": "b"})
    assert [c.scheme for c in parse_challenges(["Negotiate", "BASIC realm=x"])] == [
        *("negotiate", "basic")
    ]


@pytest.mark.parametrize(
    "document", [{"auths": "x"}, {"credHelpers": ["x"]}, {"auths": {"ghcr.io": {"auth": 5}}}]
)
def test_a_file_of_another_shape_is_told(
    config: Callable[[object], None], document: object
) -> None:
    config(document)
    with pytest.raises(ImageProblem) as caught:
        find_credentials("ghcr.io")
    assert caught.value.code == "credentials"


def test_a_file_in_no_encoding_that_is_known_is_told(
    config: Callable[[object], None], tmp_path: Path
) -> None:
    (tmp_path / "config.json").write_bytes(b'{"auths": {"\xff": {}}}')
    with pytest.raises(ImageProblem, match="cannot be read"):
        find_credentials("ghcr.io")
