"""Language models that another program serves, and services that such programs provide."""

from __future__ import annotations

from compose.model.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


class LanguageModel(Record):
    """A model that a runner serves (Compose: models.<key>). `context_size` in tokens."""

    key: str
    model: str
    name: str | None = None
    context_size: int | None = None
    runtime_flags: tuple[str, ...] = ()
    extensions: Mapping[str, Any] = {}


class ModelBinding(Record):
    """The variables by which a service finds a model (Compose: services.models.<key>)."""

    endpoint_var: str | None = None
    model_var: str | None = None


class Provider(Record):
    """A program that stands in for a container (Compose: services.provider)."""

    type: str
    options: Mapping[str, str | tuple[str, ...]] = {}
