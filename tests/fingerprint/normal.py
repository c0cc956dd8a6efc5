"""Facts of a container in words that another one would use, too."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from engine.kernel.syscalls import numbers

if TYPE_CHECKING:
    from collections.abc import Mapping

NAMESPACE = re.compile(r"(\w+):\[(\d+)\]")


def normalised(facts: Mapping[str, str], names: Mapping[str, str]) -> dict[str, str]:
    """With words for what is another in each container, and names for system calls.

    names  text -> the word that is put for it: ids, directories
    """
    calls = {arch: {v: k for k, v in numbers(arch).items()} for arch in ("x86_64", "i386")}
    return {_fact(name, calls): _value(value, names) for name, value in facts.items()}


def _fact(name: str, calls: Mapping[str, Mapping[int, str]]) -> str:
    words = name.split(" ")
    if words[0] == "call" and words[-1].isdigit() and words[1] != "x32":
        table = calls["i386" if words[1] == "i386" else "x86_64"]
        words[-1] = table.get(int(words[-1]), words[-1])
    return " ".join(words)


def _value(value: str, names: Mapping[str, str]) -> str:
    for text, word in names.items():
        value = value.replace(text, word)
    return NAMESPACE.sub(_namespace, value)


def _namespace(found: re.Match[str]) -> str:
    kind = found[1]
    return "the host's" if Path(f"/proc/self/ns/{kind}").readlink().name == found[0] else "its own"
