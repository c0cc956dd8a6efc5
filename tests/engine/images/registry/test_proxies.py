"""Proxies as programs in Go find them in the environment."""

from __future__ import annotations

import pytest

from engine.errors import ImageProblem
from engine.images.registry.proxies import find_proxy, is_excepted


@pytest.mark.parametrize(
    ("host", "exceptions", "excepted"),
    [
        ("registry.lab", "", False),
        ("localhost:5000", "", True),
        ("127.0.0.9:5000", "", True),
        ("[::1]:5000", "", True),
        ("registry.lab", "*", True),
        ("registry.lab", "other, lab", True),
        ("registry.lab", ".lab", True),
        ("lab", ".lab", False),
        ("lab", "lab", True),
        ("notlab", "lab", False),
        ("registry.lab", "*.lab", True),
        ("registry.LAB.", "Lab", True),
        ("registry.lab:5000", "lab:5000", True),
        ("registry.lab:5001", "lab:5000", False),
        ("registry.lab", "lab:443", True),
        ("10.1.2.3:5000", "10.0.0.0/8", True),
        ("11.1.2.3", "10.0.0.0/8", False),
        ("registry.lab", "10.0.0.0/8", False),
        ("10.1.2.3:5000", "10.1.2.3", True),
        ("10.1.2.3:5000", "10.1.2.3:80", False),
        ("[fd00::1]:5000", "fd00::/8", True),
        ("[fd00::1]:5000", "fd00::1", True),
        ("[fd00::1]:5000", "[fd00::1]:5000", True),
        ("10.1.2.3", "10.0.0.0/99,nonsense/", False),
    ],
)
def test_what_is_excepted_is_asked_directly(host: str, exceptions: str, excepted: bool) -> None:
    assert is_excepted(host, "https", exceptions) is excepted


def test_each_scheme_has_its_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    assert find_proxy("https", "registry.lab") is None
    monkeypatch.setenv("https_proxy", "proxy.lab:3128")
    assert find_proxy("https", "registry.lab") == "http://proxy.lab:3128"
    assert find_proxy("http", "registry.lab") is None
    for unusable in ("socks5://me:secret@proxy.lab", "http://[::1", "http://a:99999", "http://"):
        monkeypatch.setenv("HTTPS_PROXY", unusable)
        with pytest.raises(ImageProblem, match="HTTPS_PROXY") as caught:
            find_proxy("https", "registry.lab")
        assert caught.value.code == "proxy"
        assert "secret" not in str(caught.value)
    monkeypatch.setenv("NO_PROXY", "lab")
    assert find_proxy("https", "registry.lab") is None
