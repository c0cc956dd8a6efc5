"""What is left in the kernel of engines whose root somebody deleted.

Each table of ours says of which root it is; its set of bridges says which these are.
"""

from __future__ import annotations

import os
from contextlib import closing
from typing import TYPE_CHECKING

from engine.kernel.nftables import NftSocket
from engine.kernel.rtnetlink import RouteSocket
from engine.network.coexistence import Neighbours
from engine.network.firewall import Firewall
from engine.network.ruleset import BRIDGES
from engine.state.paths import Roots

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.kernel.nftables import Table
    from engine.kernel.rtnetlink import Link


def find() -> Iterator[str]:
    """All of it, in plain words. Changes nothing."""
    with NftSocket() as netlink, RouteSocket() as host:
        for table in _tables(netlink):
            of_whom = f"is of {table.comment}, which is gone"
            yield f"nftables table `{table.shown}` {of_whom}"
            yield from (f"bridge {one.name} {of_whom}" for one in _bridges(netlink, host, table))


def remove() -> None:
    """Take it away, but for bridges that something is plugged into, and their tables."""
    with NftSocket() as netlink, RouteSocket() as host:
        used = {link.master for link in host.links()}
        found = [(table, _bridges(netlink, host, table)) for table in _tables(netlink)]
        # of both IP versions, which go together
        needed = {table.name for table, there in found if any(one.index in used for one in there)}
        for table, bridges in found:
            for bridge in bridges:
                if bridge.index not in used:
                    Neighbours(netlink, table.name).withdraw(bridge.name)
                    host.remove_link(bridge.index)
            if table.name not in needed:
                with closing(Firewall(table.name)) as firewall:
                    firewall.remove()


def _tables(netlink: NftSocket) -> list[Table]:
    found = [(table, Roots(table.comment)) for table in netlink.tables() if table.comment]
    return [
        table
        for table, roots in found
        if table.name == roots.kernel_name and not os.path.exists(roots.database)
    ]


def _bridges(netlink: NftSocket, host: RouteSocket, table: Table) -> list[Link]:
    names = [
        element.key.rstrip(b"\0").decode(errors="replace")
        for element in netlink.elements(table.name, BRIDGES, table.family)
    ]
    links = [link for name in names if (link := host.find_link(name)) is not None]
    return [link for link in links if link.kind == "bridge"]
