"""Platforms: what this host runs, and which entry of an index suits it best."""

from __future__ import annotations

import os

from engine.kernel.record import Record

_ARCHITECTURES = {
    "x86_64": ("amd64", ""),
    "aarch64": ("arm64", ""),
    "armv8l": ("arm", "v7"),
    "armv7l": ("arm", "v7"),
    "armhf": ("arm", "v7"),
    "armv6l": ("arm", "v6"),
    "armel": ("arm", "v6"),
    "armv5l": ("arm", "v5"),
    "i386": ("386", ""),
    "i686": ("386", ""),
    "loongarch64": ("loong64", ""),
}
_IMPLIED_VARIANTS = {("arm", ""): "v7", ("arm64", "v8"): "", ("amd64", "v1"): ""}


class Platform(Record):
    """An operating system and a processor, in Go's words: linux/arm64/v8."""

    os: str
    architecture: str
    variant: str = ""

    def __str__(self) -> str:
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)

    def normalised(self) -> Platform:
        """One spelling for each: x86_64 -> amd64, arm -> arm/v7, arm64/v8 -> arm64."""
        architecture, variant = _ARCHITECTURES.get(
            self.architecture.lower(), (self.architecture.lower(), self.variant)
        )
        variant = _IMPLIED_VARIANTS.get((architecture, variant), variant)
        return Platform(os=self.os.lower(), architecture=architecture, variant=variant)


def host_platform() -> Platform:
    """The platform of the kernel that runs us."""
    return Platform(os="linux", architecture=os.uname().machine).normalised()


def candidates(platform: Platform) -> tuple[Platform, ...]:
    """What runs on `platform`, best first: arm/v7 -> arm/v7, arm/v6, arm/v5.

    Source: containerd platforms, compare.go; engine.md D2.5.
    """
    wanted = platform.normalised()
    others: list[tuple[str, str]] = []
    if wanted.architecture == "amd64":
        level = int(wanted.variant[1:] or 1)
        others = [("amd64", f"v{n}") for n in range(level, 0, -1)] + [("386", "")]
    elif wanted.architecture == "arm64":
        others = [("arm64", wanted.variant), ("arm64", "")]
        others += [("arm", f"v{n}") for n in range(8, 4, -1)]
    elif wanted.architecture == "arm":
        others = [("arm", f"v{n}") for n in range(int(wanted.variant[1:]), 4, -1)]
    platforms = [wanted] + [
        Platform(os=wanted.os, architecture=architecture, variant=variant).normalised()
        for architecture, variant in others
    ]
    return tuple(dict.fromkeys(platforms))
