"""Platforms: what this host runs, and which entry of an index suits it best."""

from __future__ import annotations

import os

from engine.errors import ImageProblem
from engine.kernel.record import Record

TYPE_CHECKING = False  # `typing` takes 3 ms
if TYPE_CHECKING:
    from collections.abc import Mapping

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
_IMPLIED_VARIANTS = {
    ("arm", ""): "v7",
    **{("arm64", variant): "" for variant in ("8", "v8", "v8.0")},
    **{("arm64", variant): "v9" for variant in ("9", "v9.0")},
    ("amd64", "v1"): "",
}
_SYSTEMS = ("linux", "windows", "darwin", "freebsd")


class Platform(Record):
    """An operating system and a processor, in Go's words: linux/arm64/v8.

    os_features  what the image needs of the system beside that; Linux has none of them
    """

    os: str
    architecture: str
    variant: str = ""
    os_features: tuple[str, ...] = ()

    def __str__(self) -> str:
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)

    def normalised(self) -> Platform:
        """One spelling for each: x86_64 -> amd64, arm -> arm/v7, arm64/v8 -> arm64."""
        architecture, variant = _ARCHITECTURES.get(
            self.architecture.lower(), (self.architecture.lower(), self.variant)
        )
        variant = _IMPLIED_VARIANTS.get((architecture, variant), variant)
        return self.replace(os=self.os.lower(), architecture=architecture, variant=variant)


def host_platform() -> Platform:
    """The platform of the kernel that runs us."""
    return Platform(os="linux", architecture=os.uname().machine).normalised()


def platform_of(config: Mapping[str, object]) -> Platform:
    """What an image is made for, by the document of its config."""
    return Platform(
        os=str(config.get("os") or "linux"),
        architecture=str(config.get("architecture") or ""),
        variant=str(config.get("variant") or ""),
    ).normalised()


def parse_platform(text: str) -> Platform:
    """`linux/arm64/v8`, or one word of it: `arm64`, `linux`. Raises ImageProblem."""
    words = text.lower().split("/")
    if not 1 <= len(words) <= 3 or not all(words):
        raise ImageProblem(
            f"{text!r} is not a platform",
            hint="a platform is OS/ARCHITECTURE[/VARIANT]: linux/arm64",
            code="invalid-platform",
        )
    if len(words) > 1:
        system, architecture, variant = [*words, ""][:3]
        return Platform(os=system, architecture=architecture, variant=variant).normalised()
    host = host_platform()
    if words[0] in _SYSTEMS:
        return host.replace(os=words[0])
    return Platform(os=host.os, architecture=words[0]).normalised()


def candidates(platform: Platform) -> tuple[Platform, ...]:
    """What runs on `platform`, best first: arm/v7 -> arm/v7, arm/v6, arm/v5.

    Source: containerd platforms, compare.go; engine.md D2.5.
    """
    wanted = platform.normalised()
    others: list[tuple[str, str]] = []
    if wanted.architecture == "amd64":
        others = [("amd64", f"v{n}") for n in range(_level(wanted, 1), 0, -1)] + [("386", "")]
    elif wanted.architecture == "arm64":
        others = [("arm64", variant) for variant in _arm64_variants(wanted.variant)]
        others += [("arm", f"v{n}") for n in range(8, 4, -1)]
    elif wanted.architecture == "arm":
        others = [("arm", f"v{n}") for n in range(_level(wanted, 7), 4, -1)]
    platforms = [wanted] + [
        Platform(os=wanted.os, architecture=architecture, variant=variant).normalised()
        for architecture, variant in others
    ]
    return tuple(dict.fromkeys(platforms))


def _level(platform: Platform, default: int) -> int:
    """`v3` -> 3; `default` where there is no such number."""
    number = platform.variant.removeprefix("v")
    return int(number) if number.isdecimal() and len(number) < 3 else default


def _arm64_variants(variant: str) -> list[str]:
    """v9.N has all of v8.(N+5), too; v8 and v8.0 are written as nothing."""
    major, _, minor = variant.removeprefix("v").partition(".")
    level = int(minor) if minor.isdecimal() and len(minor) < 3 else 0
    nines: list[str] = []
    if major == "9":
        nines = [f"v9.{n}" for n in range(level, 0, -1)] + ["v9"]
        level += 5
    return [*nines, *(f"v8.{n}" for n in range(level, 0, -1)), ""]
