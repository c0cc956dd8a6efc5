"""Logging in: tried out at the registry, kept where docker keeps it."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine.errors import ImageProblem
from engine.images.registry.credentials import Credentials, find_credentials
from engine.images.registry.login import is_logged_in, log_in, log_out, registry_domain

if TYPE_CHECKING:
    from tests.engine.images.registry import Registry
    from tests.engine.images.registry.server import Handler

PASSWORD = "pass:word"


@pytest.fixture
def config(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The config.json; it is not there yet. The registry wants a password."""
    for name in ("REGISTRY_AUTH_FILE", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)
    registry.basic = f"Basic {base64.b64encode(f'me:{PASSWORD}'.encode()).decode()}"
    registry.content["/v2/"] = ("application/json", b"{}")
    return Path(os.environ["DOCKER_CONFIG"], "config.json")


@pytest.mark.parametrize(
    ("server", "domain"),
    [
        ("", "docker.io"),
        ("https://index.docker.io/v1/", "docker.io"),
        ("registry-1.docker.io", "docker.io"),
        ("https://ghcr.io/v2/", "ghcr.io"),
        ("localhost:5000", "localhost:5000"),
    ],
)
def test_a_registry_is_named_in_many_ways(server: str, domain: str) -> None:
    assert registry_domain(server) == domain


@pytest.mark.parametrize(
    "server", ["[::1", "http://", "localhost:99999", "me:secret@localhost", "a b", "../x"]
)
def test_what_can_be_no_registry_is_not_asked(server: str) -> None:
    with pytest.raises(ImageProblem) as caught:
        log_in(server, "me", PASSWORD)
    assert caught.value.code == "invalid-registry"


def test_what_the_registry_takes_is_kept_for_its_owner_alone(
    registry: Registry, config: Path
) -> None:
    assert not is_logged_in(registry.host)
    assert log_in(registry.host, "me", PASSWORD) == str(config)
    assert config.stat().st_mode & 0o777 == 0o600
    assert config.parent.stat().st_mode & 0o777 == 0o700
    assert find_credentials(registry.host) == Credentials(user="me", password=PASSWORD)
    assert is_logged_in(registry.host)
    assert [path.name for path in config.parent.iterdir()] == ["config.json"]
    registry.basic = "Basic other"
    assert not is_logged_in(registry.host)


def test_what_the_registry_refuses_is_not_kept(registry: Registry, config: Path) -> None:
    with pytest.raises(ImageProblem, match="does not take this user and password") as caught:
        log_in(registry.host, "me", "wrong")
    assert caught.value.code == "unauthorized"
    assert not config.exists()


def test_what_is_no_registry_is_called_so(registry: Registry, config: Path) -> None:
    registry.content.clear()
    with pytest.raises(ImageProblem, match="it is no registry"):
        log_in(registry.host, "me", PASSWORD)
    assert not config.exists()


def test_all_else_in_the_file_stays(registry: Registry, config: Path) -> None:
    other = {"auths": {"ghcr.io": {"auth": "bTpw"}}, "detachKeys": "ctrl-x", "ünknown": [1]}
    target = config.with_name("real.json")
    target.parent.mkdir()
    target.write_text(json.dumps(other))
    config.symlink_to(target)
    log_in(registry.host, "me", PASSWORD)
    assert config.is_symlink()
    document = json.loads(config.read_text())
    assert document["auths"].pop(registry.host)
    assert document == other
    assert log_out(registry.host)
    assert not log_out(registry.host)
    assert json.loads(config.read_text()) == other


def test_a_logout_that_changes_nothing_writes_nothing(registry: Registry, config: Path) -> None:
    assert not log_out(registry.host)
    assert not config.parent.exists()
    config.parent.mkdir()
    config.write_text('{"detachKeys": "ctrl-x"}')
    assert not log_out(registry.host)
    assert config.read_text() == '{"detachKeys": "ctrl-x"}'


def test_a_directory_that_cannot_be_made_is_told(registry: Registry, config: Path) -> None:
    config.parent.write_text("in its place")
    with pytest.raises(ImageProblem, match="cannot be kept") as caught:
        log_in(registry.host, "me", PASSWORD)
    assert caught.value.where == str(config)


def test_a_broken_file_is_not_written_over(registry: Registry, config: Path) -> None:
    config.parent.mkdir()
    config.write_text("{")
    with pytest.raises(ImageProblem) as caught:
        log_in(registry.host, "me", PASSWORD)
    assert caught.value.code == "credentials"
    assert config.read_text() == "{"


def test_a_helper_keeps_it_instead_of_the_file(
    registry: Registry, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    helper = tmp_path / "docker-credential-box"
    helper.write_text(
        f"#!/bin/sh\ncd {tmp_path}\ncase $1 in\nstore) cat > box ;;\nerase) rm box ;;\n"
        "get) cat box 2>/dev/null || { echo 'credentials not found in native keychain'; exit 1; }\n"
        "esac\n"
    )
    helper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    config.parent.mkdir()
    config.write_text(json.dumps({"credsStore": "box"}))
    assert log_in(registry.host, "me", PASSWORD) == "docker-credential-box"
    document = json.loads(config.read_text())
    assert document == {"credsStore": "box", "auths": {registry.host: {}}}
    assert json.loads((tmp_path / "box").read_text()) == {
        **{"ServerURL": registry.host, "Username": "me", "Secret": PASSWORD},
    }
    assert find_credentials(registry.host) == Credentials(user="me", password=PASSWORD)
    assert log_out(registry.host)
    assert not (tmp_path / "box").exists()
    assert json.loads(config.read_text())["auths"] == {}


def bearer(handler: Handler) -> bool:
    """A registry with a token server that hands out something to remember the login by."""
    registry = handler.registry
    if handler.bare_path == "/auth":
        form = handler.body().decode()
        answer = {"access_token": "secret", "refresh_token": "remember"}
        known = "grant_type=password" in form and "password=pass%3Aword" in form
        return handler.answer(200 if known else 401, json.dumps(answer).encode())
    if handler.headers.get("Authorization") == "Bearer secret":
        return handler.answer(200, b"{}")
    realm = f'Bearer realm="http://{registry.host}/auth",service="here"'
    return handler.answer(401, b"", {"WWW-Authenticate": realm})


def test_an_identity_token_is_kept_instead_of_the_password(
    registry: Registry, config: Path
) -> None:
    registry.faults.append(bearer)
    log_in(registry.host, "me", PASSWORD)
    entry = json.loads(config.read_text())["auths"][registry.host]
    assert entry["identitytoken"] == "remember"
    assert base64.b64decode(entry["auth"]) == b"me:"


def test_a_token_server_without_oauth2_is_asked_with_the_password(
    registry: Registry, config: Path
) -> None:
    registry.content["/v2/"] = ("application/json", b"{}")
    registry.basic = None
    registry.tokens[""] = "secret"
    log_in(registry.host, "me", PASSWORD)
    assert registry.token_requests[-1]["service"] == ["test, one"]
    assert find_credentials(registry.host) == Credentials(user="me", password=PASSWORD)


def test_the_closest_entry_counts(config: Path) -> None:
    def entry(user: str) -> dict[str, str]:
        return {"auth": base64.b64encode(f"{user}:x".encode()).decode()}

    keys = ("quay.io/a", "quay.io", "quay.io/a/b", "https://ghcr.io/v2/", "gcr.io/a")
    config.parent.mkdir()
    config.write_text(json.dumps({"auths": {key: entry(key) for key in keys}}))

    def found(domain: str, path: str) -> str | None:
        credentials = find_credentials(domain, path)
        return None if credentials is None else credentials.user

    assert found("quay.io", "a/b") == "quay.io/a/b"
    assert found("quay.io", "a/c/d") == "quay.io/a"
    assert found("quay.io", "other") == "quay.io"
    assert found("gcr.io", "other") is None
    assert (found("ghcr.io", "x") or "").startswith("https")
