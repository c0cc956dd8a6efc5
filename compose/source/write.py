"""Plain values as YAML text that reads back the same, here and with readers of YAML 1.1."""

from __future__ import annotations

import io
import re
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.representer import SafeRepresenter

from compose.source.scalars import resolve

# What YAML 1.1 takes for a boolean or a number to base 60: quoted for its readers.
_OLD_MEANING = re.compile(r"(y|n|yes|no|on|off)|[-+]?\d[\d_]*(:[0-5]?\d)+(\.\d*)?", re.IGNORECASE)


def to_yaml(value: dict[str, Any]) -> str:
    """A mapping as a YAML document, keys in the order they have."""
    yaml = YAML(typ="safe", pure=True)
    yaml.Representer = _Representer
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    yaml.width = 10_000
    stream = io.StringIO()
    yaml.dump(value, stream)
    return stream.getvalue()


class _Representer(SafeRepresenter):
    """Quotes the strings that would be read as something else."""

    def represent_text(self, text: str) -> Any:
        style = None
        if not text.replace("\n", "").isprintable():
            style = '"'
        elif "\n" in text:
            style = '"' if text[0].isspace() else "|"
        elif not isinstance(resolve(text), str) or _OLD_MEANING.fullmatch(text):
            style = '"'
        return self.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Representer.add_representer(str, _Representer.represent_text)
