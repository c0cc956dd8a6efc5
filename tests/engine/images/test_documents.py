"""Manifests, configs, platforms and digests, as they are found in the wild and as attacks."""

from __future__ import annotations

import json

import pytest

from engine.errors import ImageProblem
from engine.images.config import parse_config, parse_config_document
from engine.images.digest import chain_ids, parse_digest
from engine.images.manifest import (
    DOCKER_LIST,
    OCI_INDEX,
    OCI_MANIFEST,
    Index,
    Manifest,
    choose,
    parse_document,
)
from engine.images.platform import Platform, candidates, parse_platform

DIGEST = "sha256:" + "0" * 64
CONFIG = {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": DIGEST, "size": 2}


def document(**keys: object) -> bytes:
    return json.dumps({"schemaVersion": 2, **keys}).encode()


def entry(architecture: str, variant: str = "", **more: object) -> dict[str, object]:
    platform = {"os": "linux", "architecture": architecture, "variant": variant}
    return {"mediaType": OCI_MANIFEST, "digest": DIGEST, "size": 1, "platform": platform, **more}


def index(*entries: dict[str, object]) -> Index:
    parsed = parse_document(document(manifests=list(entries)))
    assert isinstance(parsed, Index)
    return parsed


def test_a_manifest_and_an_index_are_told_apart_by_what_they_hold() -> None:
    assert isinstance(parse_document(document(config=CONFIG, layers=[])), Manifest)
    assert isinstance(parse_document(document(manifests=[])), Index)


@pytest.mark.parametrize(
    ("data", "content_type", "code"),
    [
        (document(config=CONFIG, layers=[], manifests=[]), None, "invalid-manifest"),
        (document(manifests=[]), OCI_MANIFEST, "invalid-manifest"),
        (document(mediaType=OCI_MANIFEST, manifests=[]), None, "invalid-manifest"),
        (document(mediaType=OCI_INDEX, manifests=[]), DOCKER_LIST, "invalid-manifest"),
        (document(), None, "invalid-manifest"),
        (b'{"schemaVersion": 1}', None, "manifest-schema-1"),
        (b"<html>", "text/html", "invalid-manifest"),
        (b"[" * 100_000, None, "invalid-manifest"),
        (b" " * (4 * 1024 * 1024 + 1), None, "invalid-manifest"),
        (document(config={**CONFIG, "digest": "../../x"}, layers=[]), None, "invalid-digest"),
        (document(config={**CONFIG, "size": -1}, layers=[]), None, "invalid-manifest"),
        (document(config={**CONFIG, "size": True}, layers=[]), None, "invalid-manifest"),
        (
            document(config={**CONFIG, "mediaType": "x/y"}, layers=[]),
            None,
            "unsupported-media-type",
        ),
        (
            document(config=CONFIG, layers=[{**CONFIG, "mediaType": "a/tar+encrypted"}]),
            None,
            "unsupported-media-type",
        ),
    ],
)
def test_what_is_not_clearly_one_of_them_is_refused(
    data: bytes, content_type: str | None, code: str
) -> None:
    with pytest.raises(ImageProblem) as caught:
        parse_document(data, content_type)
    assert caught.value.code == code


def test_the_best_platform_wins_and_the_first_of_equals() -> None:
    arm = Platform(os="linux", architecture="arm", variant="v7")
    entries = entry("arm", "v5"), entry("arm", "v6", size=6), entry("arm", "v6", size=7)
    chosen = choose(index(*entries), arm)
    assert chosen is not None
    assert chosen.size == 6


def test_attestations_are_never_chosen() -> None:
    amd64 = Platform(os="linux", architecture="amd64")
    marked = entry("amd64", annotations={"vnd.docker.reference.type": "attestation-manifest"})
    unknown = {**entry("unknown"), "platform": {"os": "unknown", "architecture": "unknown"}}
    assert choose(index(marked, unknown), amd64) is None


def test_a_missing_platform_is_better_than_a_wrong_one() -> None:
    plain = entry("amd64")
    del plain["platform"]
    amd64 = Platform(os="linux", architecture="amd64")
    chosen = choose(index(entry("s390x"), plain), amd64)
    assert chosen is not None
    assert chosen.platform is None


def test_platforms_have_one_spelling() -> None:
    def normal(architecture: str, variant: str = "") -> str:
        platform = Platform(os="Linux", architecture=architecture, variant=variant)
        return str(platform.normalised())

    assert normal("x86_64") == "linux/amd64"
    assert normal("aarch64") == normal("arm64", "v8") == "linux/arm64"
    assert normal("arm") == normal("armhf") == "linux/arm/v7"
    assert normal("amd64", "v1") == "linux/amd64"


def test_what_runs_on_a_platform_goes_from_best_to_worst() -> None:
    def named(architecture: str, variant: str = "") -> list[str]:
        platform = Platform(os="linux", architecture=architecture, variant=variant)
        return [str(found) for found in candidates(platform)]

    assert named("amd64") == ["linux/amd64", "linux/386"]
    assert named("amd64", "v3") == [
        *("linux/amd64/v3", "linux/amd64/v2", "linux/amd64", "linux/386"),
    ]
    assert named("arm", "v7") == ["linux/arm/v7", "linux/arm/v6", "linux/arm/v5"]
    assert named("arm64")[:2] == ["linux/arm64", "linux/arm/v8"]
    assert named("arm64", "v8.2")[:4] == [
        *("linux/arm64/v8.2", "linux/arm64/v8.1", "linux/arm64", "linux/arm/v8"),
    ]
    assert named("arm64", "v9.1")[:4] == [
        *("linux/arm64/v9.1", "linux/arm64/v9", "linux/arm64/v8.6", "linux/arm64/v8.5"),
    ]


@pytest.mark.parametrize(
    ("text", "platform"),
    [
        ("linux/arm64/v8", "linux/arm64"),
        ("linux/x86_64", "linux/amd64"),
        ("ARM64", "linux/arm64"),
        ("armhf", "linux/arm/v7"),
        ("windows/amd64", "windows/amd64"),
    ],
)
def test_a_platform_is_written_in_many_ways(text: str, platform: str) -> None:
    assert str(parse_platform(text)) == platform


def test_what_needs_features_of_the_system_that_linux_has_not_is_passed_over() -> None:
    needing = entry("amd64")
    needing["platform"] = {"os": "linux", "architecture": "amd64", "os.features": ["win32k"]}
    assert choose(index(needing), Platform(os="linux", architecture="amd64")) is None


def test_features_that_are_no_list_are_none() -> None:
    odd = entry("amd64")
    odd["platform"] = {"os": "linux", "architecture": "amd64", "os.features": 5}
    assert choose(index(odd), Platform(os="linux", architecture="amd64")) is not None


def test_null_and_missing_are_the_same_in_a_config() -> None:
    nothing = parse_config({})
    names = ("Env", "Cmd", "Entrypoint", "Volumes", "Labels", "ExposedPorts", "User", "Healthcheck")
    assert parse_config({"config": dict.fromkeys(names)}) == nothing
    assert parse_config({"config": None}) == nothing
    assert nothing.cmd is None


def test_odd_configs_are_read_as_docker_reads_them() -> None:
    config = parse_config(
        {
            "config": {
                "Env": ["A=1", "B"],
                "Entrypoint": "/bin/x",
                "Cmd": [],
                "Volumes": {"/data/": {}, "logs": {}},
                "ExposedPorts": {"80": {}, "53/udp": {}},
                "Labels": {"a": None, "b": "c"},
                "StopSignal": "15",
                "Healthcheck": {"Test": ["CMD", "true"], "Interval": 0, "Timeout": 5_000_000_000},
            }
        }
    )
    assert config.env == ("A=1", "B=")
    assert config.entrypoint == ("/bin/x",)
    assert config.cmd == ()
    assert config.volumes == ("/data", "/logs")
    assert config.exposed_ports == ("53/udp", "80/tcp")
    assert config.labels == {"a": "", "b": "c"}
    assert config.healthcheck is not None
    assert (config.healthcheck.interval_s, config.healthcheck.timeout_s) == (None, 5.0)


@pytest.mark.parametrize(
    "data",
    [
        b"{}",
        b"[]",
        b'{"rootfs": {"type": "vhd", "diff_ids": []}}',
        b'{"rootfs": {"type": "layers", "diff_ids": ["sha256:x"]}}',
    ],
)
def test_a_config_without_proper_layers_is_refused(data: bytes) -> None:
    with pytest.raises(ImageProblem):
        parse_config_document(data)


def test_chain_ids_are_those_of_the_specification() -> None:
    first, second = "sha256:" + "a" * 64, "sha256:" + "b" * 64
    chain = chain_ids([first, second])
    assert chain[0] == first
    # printf '%s %s' "$first" "$second" | sha256sum
    assert chain[1] == "sha256:ccd722928bd92476ba1745586fed6e45a102504185ad88cd89e01ff116fd146c"


@pytest.mark.parametrize(
    "text", ["", "sha256:", "sha256:" + "A" * 64, "md5:" + "a" * 32, "sha256:" + "a" * 63, None, 5]
)
def test_only_known_digests_in_lower_case_are_digests(text: object) -> None:
    with pytest.raises(ImageProblem):
        parse_digest(text)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("config", "x"),
        ("config", {"Labels": ["a"]}),
        ("config", {"Env": [5]}),
        ("created", 5),
        ("author", ["me"]),
        ("history", {"created_by": "x"}),
        ("history", ["x"]),
        ("history", [{"created_by": 7}]),
        ("history", [{"comment": {"a": 1}}]),
    ],
)
def test_a_config_is_refused_for_whatever_could_not_be_read_later(key: str, value: object) -> None:
    document = {"rootfs": {"type": "layers", "diff_ids": []}, key: value}
    with pytest.raises(ImageProblem) as caught:
        parse_config_document(json.dumps(document).encode())
    assert caught.value.code == "invalid-image"
