"""The config of an image: what a container made from it runs, and how."""

from __future__ import annotations

import json

from engine.errors import ImageProblem
from engine.images.digest import parse_digest
from engine.kernel.record import Record

TYPE_CHECKING = False  # `typing` takes 3 ms
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

INLINE_CACHE = "buoy.cache.v1"  # a key of ours: the steps of a build that the layers are of
LARGEST_DOCUMENT_BYTES = 4 * 1024 * 1024  # configs, manifests and indexes (engine.md D2.2)
_NANOSECONDS = 1_000_000_000
_TEXTS = ("created", "author", "architecture", "os", "variant")
_STEP_TEXTS = ("created", "created_by", "author", "comment")


class HealthcheckConfig(Record):
    """The image's HEALTHCHECK. None: the engine's default. Source: Docker image spec v1.2."""

    test: tuple[str, ...]
    interval_s: float | None = None
    timeout_s: float | None = None
    start_period_s: float | None = None
    start_interval_s: float | None = None
    retries: int | None = None


class ImageConfig(Record):
    """The `config` object of an OCI image config.

    entrypoint, cmd   None: not set
    exposed_ports     "80/tcp"
    volumes           absolute paths in the container
    """

    user: str = ""
    env: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] | None = None
    cmd: tuple[str, ...] | None = None
    working_dir: str = ""
    exposed_ports: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    labels: Mapping[str, str] = {}
    stop_signal: str | None = None
    healthcheck: HealthcheckConfig | None = None
    shell: tuple[str, ...] | None = None
    on_build: tuple[str, ...] = ()


def parse_object(data: bytes, invalid: Callable[[str], ImageProblem]) -> dict[str, Any]:
    """A document from elsewhere, of a size that is allowed, as the JSON object it has to be.

    Raises what `invalid` makes of the reason.
    """
    if len(data) > LARGEST_DOCUMENT_BYTES:
        raise invalid(f"it has {len(data)} bytes")
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise invalid(str(error)) from None
    if not isinstance(document, dict):
        raise invalid("it is not an object")
    return document


def parse_config_document(data: bytes) -> dict[str, object]:
    """The JSON of an image config, in which all that is read later is of the right type.

    Raises ImageProblem.
    """
    document = parse_object(data, _invalid)
    diff_ids(document)
    parse_config(document)
    for key in _TEXTS:
        _text(document, key)
    _check_history(document.get("history") or [])
    return document


def _check_history(history: object) -> None:
    if not isinstance(history, list) or not all(isinstance(step, dict) for step in history):
        raise _invalid("its history is not a list of objects")
    for step in history:
        for key in _STEP_TEXTS:
            _text(step, key)


def diff_ids(document: Mapping[str, object]) -> tuple[str, ...]:
    """`rootfs.diff_ids`, lowest layer first. Raises ImageProblem."""
    rootfs = document.get("rootfs")
    if not isinstance(rootfs, dict) or rootfs.get("type") != "layers":
        raise _invalid("its rootfs is not made of layers")
    listed = rootfs.get("diff_ids") or []
    if not isinstance(listed, list):
        raise _invalid("its diff_ids are not a list")
    return tuple(parse_digest(entry) for entry in listed)


def parse_config(document: Mapping[str, object]) -> ImageConfig:
    """What a container needs of an image config; null and a missing key are the same.

    Old and odd images are read as Docker reads them: an entrypoint may be a plain string, an
    environment entry may lack its `=`. Raises ImageProblem on values of a wrong type.
    """
    config = document.get("config") or {}
    if not isinstance(config, dict):
        raise _invalid("its `config` is not an object")
    shell = _words(config, "Shell")
    return ImageConfig(
        user=_text(config, "User"),
        env=tuple(e if "=" in e else f"{e}=" for e in _words(config, "Env") or ()),
        entrypoint=_words(config, "Entrypoint"),
        cmd=_words(config, "Cmd"),
        working_dir=_text(config, "WorkingDir"),
        exposed_ports=tuple(p if "/" in p else f"{p}/tcp" for p in _keys(config, "ExposedPorts")),
        volumes=tuple(_volume(path) for path in _keys(config, "Volumes")),
        labels=_labels(config),
        stop_signal=_text(config, "StopSignal") or None,
        healthcheck=_healthcheck(config.get("Healthcheck")),
        shell=shell or None,
        on_build=_words(config, "OnBuild") or (),
    )


def _text(config: Mapping[str, object], key: str) -> str:
    value = config.get(key) or ""
    if not isinstance(value, str):
        raise _invalid(f"its {key} is not a string")
    return value


def _words(config: Mapping[str, object], key: str) -> tuple[str, ...] | None:
    value = config.get(key)
    if value is None:
        return None
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
        raise _invalid(f"its {key} is not a list of strings")
    return tuple(value)


def _keys(config: Mapping[str, object], key: str) -> tuple[str, ...]:
    value = config.get(key) or {}
    if not isinstance(value, dict):
        raise _invalid(f"its {key} is not an object")
    return tuple(sorted(value))


def _volume(path: str) -> str:
    return "/" + path.strip("/")


def _labels(config: Mapping[str, object]) -> dict[str, str]:
    labels = config.get("Labels") or {}
    if not isinstance(labels, dict):
        raise _invalid("its Labels are not an object")
    return {key: "" if value is None else str(value) for key, value in labels.items()}


def _healthcheck(value: object) -> HealthcheckConfig | None:
    """Zero means "not set" in Docker's encoding; a check without a test inherits nothing."""
    if not isinstance(value, dict):
        return None
    test = _words(value, "Test")
    if not test:
        return None
    return HealthcheckConfig(
        test=test,
        interval_s=_seconds(value.get("Interval")),
        timeout_s=_seconds(value.get("Timeout")),
        start_period_s=_seconds(value.get("StartPeriod")),
        start_interval_s=_seconds(value.get("StartInterval")),
        retries=_count(value.get("Retries")),
    )


def _seconds(nanoseconds: object) -> float | None:
    if isinstance(nanoseconds, int) and nanoseconds > 0:
        return nanoseconds / _NANOSECONDS
    return None


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and value > 0 else None


def _invalid(why: str) -> ImageProblem:
    return ImageProblem(f"the image config cannot be used: {why}", code="invalid-image")
