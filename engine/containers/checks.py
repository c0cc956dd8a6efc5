"""The health check of a launch record: what the user gave, else the image's, else the defaults."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.containers.spec import HealthcheckSpec
    from engine.images.config import ImageConfig

NATIVE = ("TCP", "HTTP", "FILE", "LOG")  # made by the monitor: see `native_probe`
_OF_IMAGES = ("CMD", "CMD-SHELL", "NONE")
DEFAULTS = {
    "interval_s": 30.0,
    "timeout_s": 30.0,
    "start_period_s": 0.0,
    "start_interval_s": 5.0,
    "retries": 3,
}
# They cost next to nothing: asked often while it starts, for as long as a slow server takes.
NATIVE_DEFAULTS = {
    "interval_s": 10.0,
    "timeout_s": 5.0,
    "start_period_s": 60.0,
    "start_interval_s": 0.2,
    "retries": 3,
}


def describe_check(given: HealthcheckSpec | None, config: ImageConfig) -> dict[str, Any] | None:
    """test, native, interval_s, timeout_s, start_period_s, start_interval_s and retries; None where
    there is no check.

    native  whether `test` is for the monitor itself; else it is an argv

    What the user leaves out, or gives as 0, is the image's; a native probe has nothing of it. An
    image has no say in what the monitor does: a check of a kind that is not Docker's is none.
    """
    image = config.healthcheck
    test = given.test if given else ()
    if not test and image is not None and image.test[0] in _OF_IMAGES:
        test = image.test
    if not test or test[0] == "NONE":
        return None
    own = given.values() if given else {}
    if test[0] in NATIVE:
        return {"test": list(test), "native": True, **_timing(NATIVE_DEFAULTS, own)}
    argv = list(test[1:])
    if test[0] == "CMD-SHELL":
        argv = [*(config.shell or ("/bin/sh", "-c")), *argv]
    return {
        "test": argv,
        "native": False,
        **_timing(DEFAULTS, own, image.values() if image else {}),
    }


def _timing(defaults: dict[str, float], *values: Mapping[str, Any]) -> dict[str, float]:
    """For each name the first of `values` that has something, else the default."""
    return {
        name: next((one[name] for one in values if one.get(name)), default)
        for name, default in defaults.items()
    }
