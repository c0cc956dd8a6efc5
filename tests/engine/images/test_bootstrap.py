"""Which images can be built from packages, and what is said when they cannot."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from engine.errors import ImageProblem
from engine.images.apt import debian_archive, ubuntu_archive
from engine.images.bootstrap import Recipe, find_recipe
from engine.images.reference import parse_reference
from engine.images.registry.errors import RegistryUnreachable

if TYPE_CHECKING:
    from pathlib import Path

    from engine.images.images import Images


def debian(codename: str, *, slim: bool = False) -> Recipe:
    return Recipe(distribution="Debian", codename=codename, slim=slim)


@pytest.mark.parametrize(
    ("text", "recipe"),
    [
        ("debian", debian("trixie")),
        ("debian:bookworm", debian("bookworm")),
        ("debian:12-slim", debian("bookworm", slim=True)),
        ("docker.io/library/debian:stable-slim", debian("trixie", slim=True)),
        ("ubuntu:22.04", Recipe(distribution="Ubuntu", codename="jammy")),
        ("debian:12.5", None),
        ("debian:-slim", None),
        ("me/debian:bookworm", None),
        ("ghcr.io/library/debian:bookworm", None),
        ("debian:bookworm@sha256:" + "0" * 64, None),
        ("mysql:8", None),
    ],
)
def test_official_names_of_debian_and_ubuntu_have_a_recipe(
    text: str, recipe: Recipe | None
) -> None:
    if text == "debian:-slim":
        with pytest.raises(ImageProblem):
            parse_reference(text)
        return
    assert find_recipe(parse_reference(text)) == recipe


def apt_says(directory: Path, monkeypatch: pytest.MonkeyPatch, *lines: str) -> None:
    """An apt-get that knows these repositories."""
    program = directory / "apt-get"
    program.write_text("#!/bin/sh\ncat <<'EOF'\n" + "\n".join(lines) + "\nEOF\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{directory}:/usr/bin:/bin")


def test_the_hosts_mirror_is_used_for_its_own_distribution(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    apt_says(
        *(tmp_path, monkeypatch),
        *("https://other.example/debian/ nodistro", "http://near.example/debian/ bookworm"),
        "http://near.example/debian-security/ bookworm-security",
    )
    archive = debian_archive("trixie")
    signed = "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]"
    assert archive.lines == (
        f"{signed} http://near.example/debian trixie main",
        f"{signed} http://near.example/debian trixie-updates main",
        f"{signed} http://near.example/debian-security trixie-security main",
    )
    assert not archive.needs_certificates
    assert (
        "http://archive.ubuntu.com/ubuntu noble main" in ubuntu_archive("noble", "amd64").lines[0]
    )


def test_without_apt_the_public_mirror_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "http://deb.debian.org/debian sid main" in debian_archive("sid").lines[0]
    assert len(debian_archive("sid").lines) == 1


def test_an_https_mirror_brings_its_certificates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    apt_says(tmp_path, monkeypatch, "https://near.example/debian/ bookworm")
    assert debian_archive("bookworm").needs_certificates


def test_a_missing_mmdebstrap_is_named_with_its_package(
    images: Images, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = RegistryUnreachable("registry-1.docker.io", "its name is not known")
    monkeypatch.setattr("engine.images.fetch._unreachable", {"docker.io": gone})
    monkeypatch.setenv("PATH", str(tmp_path))
    said: list[str] = []
    with pytest.raises(ImageProblem) as caught:
        images.pull("debian:bookworm", lambda subject, text, done, total: said.append(text))
    assert caught.value.hint is not None
    assert "apt-get install mmdebstrap" in caught.value.hint
    assert said == [
        "registry-1.docker.io cannot be reached: building debian:bookworm from Debian packages "
        "with mmdebstrap, about 15 s"
    ]
    with pytest.raises(RegistryUnreachable):
        images.pull("mysql:8")
