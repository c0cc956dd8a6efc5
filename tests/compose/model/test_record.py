"""Records behave as frozen keyword-only dataclasses."""

from __future__ import annotations

import pickle

import pytest

from compose.model import Port, Resources, Service


def test_defaults_and_equality_by_value() -> None:
    assert Port(target=80) == Port(target=80, protocol="tcp")
    assert Port(target=80) != Port(target=81)
    assert Port(target=80) != Resources()


def test_a_missing_or_unknown_field_is_named() -> None:
    with pytest.raises(TypeError, match="target"):
        Port()  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="tarket"):
        Port(target=80, tarket=1)  # type: ignore[call-arg]


def test_it_cannot_be_changed() -> None:
    port = Port(target=80)
    with pytest.raises(AttributeError, match="frozen"):
        port.target = 81  # type: ignore[misc]
    with pytest.raises(AttributeError, match="frozen"):
        del port.target


def test_a_changed_copy() -> None:
    port = Port(target=80, protocol="udp")
    assert port.replace(target=81) == Port(target=81, protocol="udp")
    assert port.target == 80


def test_it_prints_what_is_not_default() -> None:
    assert repr(Port(target=80, host_ip="::1")) == "Port(target=80, host_ip='::1')"


def test_records_of_values_can_be_hashed_and_pickled() -> None:
    assert hash(Port(target=80)) == hash(Port(target=80))
    service = Service(name="web", image_name="x", ports=(Port(target=80),))
    assert pickle.loads(pickle.dumps(service)) == service
