"""TLS: whose certificates are believed, and ours that are shown."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import pytest

from engine.errors import ImageProblem
from tests.engine.images.registry import Registry
from tests.engine.images.registry.certificates import Authority
from tests.engine.images.tars import build, file, tar
from tests.marks import needs_program, needs_root

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from engine.images.images import Images
    from tests.engine.images.registry.server import Handler

    Settings = Callable[[str], Path]

pytestmark = [needs_root, needs_program("openssl")]
IMAGE = build([tar(file("a", "a"))], Cmd=["sh"])


@pytest.fixture
def secure(registry: Registry, authority: Authority) -> Iterator[Registry]:
    """A registry that speaks TLS; no credentials of the user's are seen, as with `registry`."""
    with Registry(authority.server()) as secure:
        secure.put("a", "1", IMAGE)
        yield secure


def test_an_unknown_authority_is_not_believed(
    images: Images, secure: Registry, settings: Settings, tmp_path: Path
) -> None:
    other = Authority.create(tmp_path)
    settings(f'[registry."{secure.host}"]\nca = "{other.cert}"\n')
    with pytest.raises(ImageProblem, match="certificate verify failed") as caught:
        images.pull(f"{secure.host}/a:1")
    assert caught.value.code == "registry-tls"
    assert "registries.toml" in (caught.value.hint or "")
    assert secure.requests == []


def test_an_authority_is_named_in_the_settings(
    images: Images, secure: Registry, settings: Settings, authority: Authority
) -> None:
    settings(f'[registry."{secure.host}"]\nca = "{authority.cert}"\n')
    assert images.pull(f"{secure.host}/a:1").config.cmd == ("sh",)


def test_a_certificate_for_another_name_is_refused(
    *,
    images: Images,
    registry: Registry,
    authority: Authority,
    settings: Settings,
) -> None:
    with Registry(authority.server("DNS:registry.lab")) as other:
        settings(f'[registry."{other.host}"]\nca = "{authority.cert}"\n')
        with pytest.raises(ImageProblem) as caught:
            images.pull(f"{other.host}/a:1")
    assert caught.value.code == "registry-tls"


def test_directories_of_docker_and_podman_count(
    *, images: Images, secure: Registry, settings: Settings, authority: Authority, tmp_path: Path
) -> None:
    directory = tmp_path / f"config/containers/certs.d/{secure.host}"
    directory.mkdir(parents=True)
    authority.cert.rename(directory / "ca.crt")
    assert images.pull(f"{secure.host}/a:1").config.cmd == ("sh",)
    (directory / "client.cert").write_text("x")
    with pytest.raises(ImageProblem, match=r"client\.key"):
        images.pull(f"{secure.host}/a:1")
    (directory / "client.key").write_text("x")
    with pytest.raises(ImageProblem) as caught:
        images.pull(f"{secure.host}/a:1")
    assert caught.value.where == f"{directory}/client.cert"


def test_a_client_certificate_is_shown(
    *,
    images: Images,
    registry: Registry,
    authority: Authority,
    settings: Settings,
    tmp_path: Path,
) -> None:
    context = authority.server()
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(authority.cert)
    ours = authority.issue("me", "email:me@lab")
    with Registry(context) as strict:
        strict.put("a", "1", IMAGE)
        section = f'[registry."{strict.host}"]\nca = "{authority.cert}"\n'
        settings(section)
        with pytest.raises(ImageProblem):
            images.pull(f"{strict.host}/a:1")
        settings(f'{section}cert = "{ours.cert}"\nkey = "{ours.key}"\n')
        assert images.pull(f"{strict.host}/a:1").config.cmd == ("sh",)


def test_what_is_insecure_is_believed_and_may_speak_plain_http(
    images: Images, registry: Registry, secure: Registry, settings: Settings
) -> None:
    settings(f'[registry."{secure.host}"]\ninsecure = true\n')
    assert images.pull(f"{secure.host}/a:1").config.cmd == ("sh",)
    settings(f'[registry."{registry.host}"]\ninsecure = true\n')
    assert images.pull(registry.put("b", "1", IMAGE)).config.cmd == ("sh",)


@pytest.fixture
def trusted(secure: Registry, settings: Settings, authority: Authority) -> Registry:
    """`secure`, with its authority known."""
    settings(f'[registry."{secure.host}"]\nca = "{authority.cert}"\n')
    return secure


def test_passwords_are_not_sent_to_a_token_server_without_tls(
    images: Images, trusted: Registry
) -> None:
    trusted.tokens["repository:a:pull"] = "secret"  # its realm is http://
    with pytest.raises(ImageProblem, match="not secure"):
        images.pull(f"{trusted.host}/a:1")
    assert trusted.token_requests == []


def test_no_redirect_leaves_tls(images: Images, registry: Registry, trusted: Registry) -> None:
    registry.put("a", "1", IMAGE)
    target = {"Location": f"http://{registry.host}/v2/a/manifests/1"}
    trusted.faults.append(lambda h: h.answer(307, b"", target))
    with pytest.raises(ImageProblem, match="not secure"):
        images.pull(f"{trusted.host}/a:1")
    assert registry.requests == []


def test_a_registry_behind_a_proxy_that_ends_tls_is_understood(
    images: Images, trusted: Registry
) -> None:
    """It takes its own address for one of plain http."""

    def redirect(handler: Handler) -> bool:
        target = f"http://{trusted.host}{handler.path}?again"
        return "again" not in handler.path and handler.answer(307, b"", {"Location": target})

    trusted.faults.append(redirect)
    assert images.pull(f"{trusted.host}/a:1").config.cmd == ("sh",)
