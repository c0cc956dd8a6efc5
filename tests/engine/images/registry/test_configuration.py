"""`registries.toml`: what is taken, and what is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from engine.errors import ImageProblem
from engine.images.registry.configuration import RegistrySettings, registry_settings
from engine.images.registry.endpoints import endpoints

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Settings = Callable[[str], Path]


def test_each_registry_has_its_own(settings: Settings) -> None:
    path = settings(
        '[registry."docker.io"]\nmirrors = ["https://mirror.lab/", "http://10.0.0.5:5000/hub"]\n'
        '[registry."registry.lab:5000"]\ninsecure = true\nca = "lab.pem"\n'
        'cert = "/a/c.pem"\nkey = "/a/k.pem"\n'
    )
    assert registry_settings("docker.io").mirrors == (
        *("https://mirror.lab", "http://10.0.0.5:5000/hub"),
    )
    assert registry_settings("registry.lab:5000") == RegistrySettings(
        insecure=True, ca=f"{path.parent}/lab.pem", cert="/a/c.pem", key="/a/k.pem"
    )
    assert registry_settings("ghcr.io") == RegistrySettings()


def test_mirrors_come_first_and_are_told_whom_they_stand_for(settings: Settings) -> None:
    settings('[registry."docker.io"]\nmirrors = ["http://10.0.0.5:5000/hub"]\n')
    mirror, own = endpoints("docker.io", mirrors=True)
    assert mirror.url("library/a", "manifests/1") == (
        "http://10.0.0.5:5000/v2/hub/library/a/manifests/1?ns=docker.io"
    )
    assert own.url("library/a", "manifests/1") == (
        "https://registry-1.docker.io/v2/library/a/manifests/1"
    )
    assert endpoints("docker.io", mirrors=False) == (own,)


@pytest.mark.parametrize(
    ("host", "schemes"),
    [
        ("ghcr.io", ["https"]),
        ("localhost:5000", ["http", "https"]),
        ("127.0.0.1:5000", ["http", "https"]),
        ("registry.lab:5000", ["https", "http"]),
    ],
)
def test_plain_http_is_for_this_machine_and_where_it_is_allowed(
    settings: Settings, host: str, schemes: list[str]
) -> None:
    settings('[registry."registry.lab:5000"]\ninsecure = true\n')
    assert [one.scheme for one in endpoints(host, mirrors=True)] == schemes


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[registry", "Expected"),
        ("[mirrors]\n", "not mirrors"),
        ('[registry."a.io"]\nmirror = []\n', "mirror is none of its keys"),
        ('[registry."a.io"]\nmirrors = ["mirror.lab"]\n', "list of URLs"),
        ('[registry."a.io"]\nmirrors = ["https://me:secret@mirror.lab"]\n', "list of URLs"),
        ('[registry."a.io"]\nmirrors = ["https://[::1"]\n', "list of URLs"),
        ('[registry."a.io"]\nmirrors = ["https://mirror.lab:port"]\n', "list of URLs"),
        ('[registry."a.io"]\ninsecure = "yes"\n', "true or false"),
        ('[registry."a.io"]\nca = 1\n', "names of files"),
        ('[registry."a.io"]\ncert = "a"\n', "need each other"),
        ('registry = {"a.io" = 1}\n', "has to be a table"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_its_place(
    settings: Settings, text: str, why: str
) -> None:
    path = settings(text)
    with pytest.raises(ImageProblem, match=why) as caught:
        registry_settings("a.io")
    assert caught.value.code == "registries-file"
    assert (caught.value.where or "").startswith(str(path))


def test_what_dockerd_is_told_counts_where_we_are_told_nothing(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "daemon.json"
    path.write_text(
        '{"registry-mirrors": ["https://mirror.lab/"],'
        ' "insecure-registries": ["registry.lab:5000", "10.0.0.0/8"]}'
    )
    monkeypatch.setattr("engine.images.registry.docker_daemon.PATH", str(path))
    assert registry_settings("docker.io") == RegistrySettings(mirrors=("https://mirror.lab",))
    assert registry_settings("ghcr.io") == RegistrySettings()
    for host in ("registry.lab:5000", "10.1.2.3:5000", "10.1.2.3"):
        assert registry_settings(host) == RegistrySettings(insecure=True)
    assert registry_settings("registry.lab") == RegistrySettings()
    settings('[registry."docker.io"]\n')
    assert registry_settings("docker.io") == RegistrySettings()
    for broken in ("{", '{"registry-mirrors": ["https://[::1"]}'):
        path.write_text(broken)
        with pytest.raises(ImageProblem) as caught:
            registry_settings("ghcr.io")
        assert caught.value.where == str(path)
