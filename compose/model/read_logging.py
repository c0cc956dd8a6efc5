"""`logging` of a service: the driver, and how much it keeps (engine.md C3.3, C4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from compose.errors import InvalidValue, nearest
from compose.model.resources import Logging
from compose.source.values import parse_boolean, parse_size

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from compose.model.fields import Fields

T = TypeVar("T")

DECIMAL = 1000  # Docker reads max-size so, other than sizes of memory
_ROTATION = ("max-size", "max-file", "compress")
_ATTRIBUTES = ("labels", "labels-regex", "env", "env-regex", "tag")
_DELIVERY = ("mode", "max-buffer-size")  # Docker's engine knows them for every driver
_OPTIONS = {
    "json-file": (*_ROTATION, *_ATTRIBUTES, *_DELIVERY),
    "local": (*_ROTATION, *_DELIVERY),
}
_MODES = ("blocking", "non-blocking")
_FEWEST_TO_COMPRESS = 2  # files


def read_logging(fields: Fields) -> Logging:
    """Where output goes, and how much of it is kept.

    Without a driver it is ours, which takes the options of json-file that it has itself; with
    one of the others, json-file is meant.
    """
    driver = fields.text("driver")
    driver = None if driver == "default" else driver
    options = fields.labels("options")
    if driver not in (None, "none", *_OPTIONS):
        hint = "`json-file`, `local` and `none` are"
        fields.not_built(f"driver `{driver}`", "driver", hint=hint)
    if driver is not None and driver not in _OPTIONS:
        return Logging(driver=driver, options=options)
    _check_names(fields, options, driver or "json-file")
    attributes = {name: options[name] for name in _ATTRIBUTES if options.get(name)}
    compress = _parsed(fields, options, "compress", parse_boolean)
    if driver is None and (attributes or compress):
        driver = "json-file"
    logging = Logging(
        driver=driver,
        max_size_bytes=_parsed(fields, options, "max-size", _size),
        max_files=_parsed(fields, options, "max-file", _count),
        compress=compress,
        attributes=attributes,
        options=options,
    )
    _check_compression(fields, logging)
    return logging


def _check_names(fields: Fields, options: Mapping[str, str], driver: str) -> None:
    known = _OPTIONS[driver]
    for name in options:
        if name not in known:
            what = f"unknown log opt '{name}' for {driver} log driver"
            hint = nearest(name, known)
            fields.note(InvalidValue, f"{fields.name()}: {what}", "options", name, hint=hint)
    if options.get("mode", _MODES[0]) not in _MODES:
        what = f"{fields.name('options', 'mode')}: `{options['mode']}` is none of {_MODES}"
        fields.note(InvalidValue, what, "options", "mode")


def _check_compression(fields: Fields, logging: Logging) -> None:
    if logging.driver != "json-file" or not logging.compress:
        return
    if not logging.max_size_bytes or (logging.max_files or 1) < _FEWEST_TO_COMPRESS:
        what = f"{fields.name('options', 'compress')} needs max-size, and max-file of 2 or more"
        fields.note(InvalidValue, what, "options", "compress")


def _parsed(
    fields: Fields, options: Mapping[str, str], name: str, parse: Callable[[str], T]
) -> T | None:
    if name not in options:
        return None
    try:
        return parse(options[name])
    except ValueError as error:
        fields.note(InvalidValue, f"{fields.name('options', name)}: {error}", "options", name)
        return None


def _size(text: str) -> int:
    """0 for -1, which is without end."""
    size = parse_size(text, unit=DECIMAL)
    if size == 0 or size < -1:
        raise ValueError(f"`{text}` is not a positive number")
    return max(size, 0)


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise ValueError(f"`{text}` is not a number of 1 or more")
    return int(text)
