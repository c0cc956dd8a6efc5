"""Names and addresses of the container's own files are single words (engine.md A8)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.compose.projects import Files


@pytest.mark.parametrize(
    ("keys", "where", "what"),
    [
        (r'hostname: "a\nb"', "4:15", "blank"),
        ("hostname: a b", "4:15", "blank"),
        (f"hostname: {'a' * 65}", "4:15", "64 bytes"),
        (r'domainname: "a\0b"', "4:17", "control"),
        (r'extra_hosts: ["a\tb=1.2.3.4"]', "4:19", "blank"),
        (r'extra_hosts: ["a=1.2.3.4\n5.6.7.8 bank"]', "4:19", "not an IP address"),
        (r'extra_hosts: ["a=fe80::1%x\ny"]', "4:19", "blank"),
        ("extra_hosts: [a=b]", "4:19", "not an IP address"),
        (r'dns: "fe80::1%x\ny"', "4:10", "blank"),
        (r'dns_search: [a.example, "b\u2028c"]', "4:29", "blank"),
        (r'dns_opt: ["ndots:1\nnameserver 6.6.6.6"]', "4:15", "blank"),
    ],
)
def test_what_is_no_word_is_told_with_its_place(
    files: Files, keys: str, where: str, what: str
) -> None:
    (problem,) = files.problems(f"services:\n  a:\n    image: x\n    {keys}\n")
    assert problem.code == "invalid-value"
    assert (problem.where or "").endswith(f"compose.yaml:{where}")
    assert what in problem.what


def test_addresses_may_be_in_brackets_or_the_host(files: Files) -> None:
    keys = 'extra_hosts: ["a=[::1]", "b:host-gateway", "c=127.0.0.1", "d=fe80::1%eth0"]'
    hosts = files.load(f"services: {{a: {{image: x, {keys}}}}}").services["a"].extra_hosts
    assert hosts == (
        ("a", "::1"),
        ("b", "host-gateway"),
        ("c", "127.0.0.1"),
        ("d", "fe80::1%eth0"),
    )
