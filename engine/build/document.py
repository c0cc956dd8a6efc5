"""The image config that a stage comes to, as the OCI image specification writes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.build.state import HistoryEntry, StageState
    from engine.images.config import HealthcheckConfig, ImageConfig

COMMENT = "buoy.dockerfile.v0"
_NANOSECONDS = 1_000_000_000


def image_document(
    state: StageState, labels: Mapping[str, str], created: str | None
) -> dict[str, object]:
    """The config document without `rootfs`, whose layers are given beside it.

    labels   added to those of the Dockerfile
    created  RFC 3339, of what has no time of its own; None leaves it out
    """
    config = config_document(state.config.replace(labels={**state.config.labels, **labels}))
    history = [_entry(entry, created) for entry in state.history]
    document = {
        "created": created,
        "author": state.author,
        "config": config,
        "history": [*state.base_history, *history],
    }
    return {key: value for key, value in document.items() if value is not None}


def config_document(config: ImageConfig) -> dict[str, object]:
    """The `config` object: what is set, in Docker's names."""
    values: dict[str, object] = {
        "User": config.user,
        "ExposedPorts": {port: {} for port in config.exposed_ports},
        "Env": list(config.env),
        "Entrypoint": _list(config.entrypoint),
        "Cmd": _list(config.cmd),
        "Volumes": {path: {} for path in config.volumes},
        "WorkingDir": config.working_dir,
        "StopSignal": config.stop_signal,
        "Healthcheck": _healthcheck(config.healthcheck) if config.healthcheck else None,
        "Shell": _list(config.shell),
        "Labels": dict(config.labels),
        "OnBuild": list(config.on_build),
    }
    return {key: value for key, value in values.items() if value}


def _list(words: tuple[str, ...] | None) -> list[str] | None:
    return None if words is None else list(words)


def _healthcheck(check: HealthcheckConfig) -> dict[str, object]:
    times = {
        "Interval": check.interval_s,
        "Timeout": check.timeout_s,
        "StartPeriod": check.start_period_s,
        "StartInterval": check.start_interval_s,
    }
    document: dict[str, object] = {"Test": list(check.test)}
    document |= {key: round(value * _NANOSECONDS) for key, value in times.items() if value}
    if check.retries:
        document["Retries"] = check.retries
    return document


def _entry(entry: HistoryEntry, created: str | None) -> dict[str, object]:
    document: dict[str, object] = {"created_by": entry.created_by, "comment": COMMENT}
    if entry.created or created:
        document["created"] = entry.created or created
    if entry.empty_layer:
        document["empty_layer"] = True
    return document
