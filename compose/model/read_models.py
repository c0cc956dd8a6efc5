"""Language models of a project, and what serves a service from outside."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compose.model.models import LanguageModel, ModelBinding, Provider
from compose.source.tree import Seq
from compose.source.values import text_of

if TYPE_CHECKING:
    from compose.model.fields import Fields
    from compose.source.tree import Value


def read_model(key: str, fields: Fields) -> LanguageModel:
    """One of the models."""
    return LanguageModel(
        key=key,
        model=fields.text("model") or "",
        name=fields.text("name"),
        context_size=fields.integer("context_size"),
        runtime_flags=fields.texts("runtime_flags"),
        extensions=fields.extensions(),
    )


def read_bindings(fields: Fields) -> dict[str, ModelBinding | None]:
    """The models of a service."""
    return {
        key: ModelBinding(endpoint_var=one.text("endpoint_var"), model_var=one.text("model_var"))
        if one.tree
        else None
        for key, one in fields.named("models")
    }


def read_provider(fields: Fields) -> Provider | None:
    """What stands in for the containers of a service."""
    provider = fields.given("provider")
    if provider is None:
        return None
    options = provider.inside("options").tree
    return Provider(
        type=provider.text("type") or "",
        options={key: _option(value) for key, value in sorted(options.items())},
    )


def _option(value: Value) -> str | tuple[str, ...]:
    if isinstance(value, Seq):
        return tuple(text_of(item) for item in value if isinstance(item, str | int | float))
    return text_of(value) if isinstance(value, str | int | float) else ""
