"""Whose table of nftables that is, and what to change there."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

    from engine.network.trace.facts import Verdict

BUOY, ANOTHER_ROOT = "Buoy", "another root of Buoy"
DNS_TABLE = "buoy_dns"  # in the namespace of a container
_IPTABLES = ("filter", "nat", "mangle", "raw", "security")


def owner_of(table: str, chains: Collection[str], own_table: str) -> str:
    """In words, by the names that each firewall gives.

    chains   the names of those in the table
    """
    if table in (own_table, DNS_TABLE):
        return BUOY
    if table == "buoy" or table.startswith("buoy-"):
        return ANOTHER_ROOT
    if table == "firewalld":
        return "firewalld"
    if table.startswith("libvirt"):
        return "libvirt"
    if table in ("docker-bridges", "docker"):
        return "Docker"
    if table not in _IPTABLES:
        return "somebody else's table"
    makers = [
        name
        for name, prefix in (("Docker", "DOCKER"), ("ufw", "ufw"), ("Kubernetes", "KUBE-"))
        if any(chain.startswith(prefix) for chain in chains)
    ]
    return f"iptables-nft ({', '.join(makers)})" if makers else "iptables-nft"


def foreign_hint(verdict: Verdict, device: str) -> str:
    """How to let packets of `device` through where a table that is not ours has dropped one."""
    if verdict.owner == "firewalld":
        return f"firewall-cmd --zone=trusted --add-interface={device}"
    if "ufw" in verdict.owner:
        return f"ufw route allow in on {device}, and the same with `out`"
    if verdict.owner.startswith("iptables-nft"):
        command = "ip6tables" if verdict.family == "ip6" else "iptables"
        chain = "DOCKER-USER" if "Docker" in verdict.owner else verdict.chain
        return f"{command} -I {chain} -i {device} -j ACCEPT, and the same with -o {device}"
    return f"see `nft -a list chain {verdict.family} {verdict.table} {verdict.chain}`"
