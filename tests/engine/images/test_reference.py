from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import ImageProblem
from engine.images.reference import familiar, parse_reference, parse_tag
from engine.images.source import parse_source

DIGEST = "sha256:" + "ab" * 32

component = st.from_regex(r"[a-z0-9]{1,8}((\.|_|__|-{1,3})[a-z0-9]{1,8}){0,2}", fullmatch=True)
path = st.lists(component, min_size=1, max_size=4).map("/".join)
tag = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}", fullmatch=True)
domain = st.sampled_from(["docker.io", "localhost", "ghcr.io", "localhost:5000", "[::1]:80", "Up"])


@pytest.mark.parametrize(
    ("text", "complete"),
    [
        ("mysql", "docker.io/library/mysql:latest"),
        ("mysql:8", "docker.io/library/mysql:8"),
        ("me/mysql", "docker.io/me/mysql:latest"),
        ("docker.io/mysql", "docker.io/library/mysql:latest"),
        ("index.docker.io/me/x:1", "docker.io/me/x:1"),
        ("localhost/x", "localhost/x:latest"),
        ("localhost:5000/x", "localhost:5000/x:latest"),
        ("localhost:5000", "docker.io/library/localhost:5000"),
        ("ghcr.io/a/b/c:v1.2_3-x", "ghcr.io/a/b/c:v1.2_3-x"),
        ("[::1]:5000/x:1", "[::1]:5000/x:1"),
        ("UPPER/x", "UPPER/x:latest"),
        ("deadbeef", "docker.io/library/deadbeef:latest"),
        (f"mysql@{DIGEST}", f"docker.io/library/mysql@{DIGEST}"),
        (f"mysql:8@{DIGEST}", f"docker.io/library/mysql:8@{DIGEST}"),
    ],
)
def test_short_names_are_completed_as_docker_does(text: str, complete: str) -> None:
    assert str(parse_reference(text)) == complete


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "the name is missing"),
        (":8", "the name is missing"),
        ("MySQL", "must be in lower case"),
        ("me/MySQL", "must be in lower case"),
        ("mysql:", "is not a tag"),
        ("mysql:-8", "is not a tag"),
        ("mysql:" + "x" * 129, "is not a tag"),
        ("a//b", "is not a repository name"),
        ("a/b/", "is not a repository name"),
        ("../etc/passwd", "is not the name of a registry"),
        ("a/../b", "is not a repository name"),
        ("a___b", "is not a repository name"),
        ("-host.io/x", "is not the name of a registry"),
        ("mysql@sha256:short", "is not a digest"),
        ("mysql@", "is not a digest"),
        ("a/" * 130 + "b", "at most 255"),
        ("ab" * 32, "image id"),
        ("mysql\n", "is not a repository name"),
    ],
)
def test_what_is_wrong_with_a_name_is_said(text: str, why: str) -> None:
    with pytest.raises(ImageProblem, match=why):
        parse_reference(text)


@given(domain, path, st.none() | tag, st.booleans())
def test_a_complete_reference_reads_as_itself(
    domain: str, path: str, tag: str | None, with_digest: bool
) -> None:
    text = f"{domain}/{path}" + (f":{tag}" if tag else "") + (f"@{DIGEST}" if with_digest else "")
    once = parse_reference(text)
    assert parse_reference(str(once)) == once
    assert parse_reference(once.familiar) == once
    assert once.tag == (tag or (None if with_digest else "latest"))


@given(st.text(max_size=40))
def test_any_text_is_a_reference_or_a_problem(text: str) -> None:
    try:
        reference = parse_reference(text)
    except ImageProblem:
        return
    assert parse_reference(str(reference)) == reference


def test_a_digest_is_not_given_to_an_image() -> None:
    assert parse_tag("mysql") == "docker.io/library/mysql:latest"
    with pytest.raises(ImageProblem, match="not a digest"):
        parse_tag(f"mysql:8@{DIGEST}")


def test_the_familiar_form_is_the_short_one() -> None:
    assert familiar("docker.io/library/mysql:8") == "mysql:8"
    assert familiar("docker.io/me/mysql:8") == "me/mysql:8"
    assert familiar("ghcr.io/x:1") == "ghcr.io/x:1"
    assert familiar("oci:/images/app:1") == "oci:/images/app:1"


@pytest.mark.parametrize(
    ("text", "name", "kind", "tag"),
    [
        ("rootfs:/", "rootfs:/", "rootfs", None),
        ("rootfs:/srv/../srv/x/", "rootfs:/srv/x", "rootfs", None),
        ("oci:/images/app", "oci:/images/app", "oci", None),
        ("oci:/images/app:1.2", "oci:/images/app:1.2", "oci", "1.2"),
        ("docker-archive:/a.tar", "docker-archive:/a.tar", "docker-archive", None),
        ("mysql", "docker.io/library/mysql:latest", "registry", None),
    ],
)
def test_sources_have_one_name_each(text: str, name: str, kind: str, tag: str | None) -> None:
    source = parse_source(text)
    assert (source.name, source.kind, source.tag) == (name, kind, tag)


def test_a_source_without_a_path_is_refused() -> None:
    with pytest.raises(ImageProblem, match="needs a path"):
        parse_source("rootfs:")
