"""What a build is for: this machine's platform, whatever it is called (engine.md D6.8)."""

from __future__ import annotations

from engine.errors import BuildProblem, ImageProblem
from engine.images.platform import host_platform, parse_platform


def check_native(text: str, where: str | None = None) -> None:
    """Raise BuildProblem for a platform that is not this machine's."""
    try:
        platform = parse_platform(text)
    except ImageProblem as problem:
        raise BuildProblem(
            problem.what, where=where, hint=problem.hint, code=problem.code
        ) from None
    if platform != host_platform():
        raise BuildProblem(
            f"the platform {text} is not this machine's ({host_platform()}): building for others "
            "is not built yet",
            where=where,
            code="not-built-yet",
        )


def automatic_arguments(target: str) -> dict[str, str]:
    """Source: Dockerfile reference, "Automatic platform ARGs in the global scope"."""
    platform = host_platform()
    parts = {
        "PLATFORM": str(platform),
        "OS": platform.os,
        "ARCH": platform.architecture,
        "VARIANT": platform.variant,
    }
    sides = {f"{side}{key}": text for side in ("TARGET", "BUILD") for key, text in parts.items()}
    return {**sides, "TARGETSTAGE": target or "default"}
