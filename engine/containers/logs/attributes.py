"""What `json-file` writes beside every entry: the options labels, env and tag (engine.md C3.3)."""

from __future__ import annotations

import re

from engine.errors import ContainerProblem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

OPTIONS = ("labels", "labels-regex", "env", "env-regex", "tag")
_PLACEHOLDER = re.compile(r"\{\{\s*\.(\w+)\s*\}\}")


def log_attributes(
    options: Mapping[str, str],
    labels: Mapping[str, str],
    environment: Mapping[str, str],
    names: Mapping[str, str],
) -> dict[str, str]:
    """The chosen labels and variables, and `tag`.

    options  those of OPTIONS that are given
    names    of the container: what {{.ID}}, {{.Name}} and the like stand for in a tag

    Raises ContainerProblem for a pattern or a tag that is none.
    """
    found: dict[str, str] = {}
    for option, values in (("labels", labels), ("env", environment)):
        wanted = [name for name in options.get(option, "").split(",") if name]
        pattern = _pattern(options, f"{option}-regex")
        found |= {
            name: value
            for name, value in values.items()
            if name in wanted or (pattern is not None and pattern.search(name))
        }
    if options.get("tag"):
        found["tag"] = _PLACEHOLDER.sub(lambda match: _named(match[1], names), options["tag"])
    return found


def _pattern(options: Mapping[str, str], option: str) -> re.Pattern[str] | None:
    if not options.get(option):
        return None
    try:
        return re.compile(options[option])
    except re.error as error:
        what = f"log option {option}: `{options[option]}` is not a pattern: {error}"
        raise ContainerProblem(what, code="log-option") from None


def _named(name: str, names: Mapping[str, str]) -> str:
    if name not in names:
        raise ContainerProblem(
            f"log option tag: {{{{.{name}}}}} is not known",
            hint="known are " + ", ".join(names),
            code="log-option",
        )
    return names[name]
