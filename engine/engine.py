"""One engine: its directories, its database, and what is in them."""

from __future__ import annotations

import os
from functools import cached_property

from engine.errors import NotRoot
from engine.state.db import open_database

TYPE_CHECKING = False  # `typing` takes 3 ms
if TYPE_CHECKING:
    import sqlite3

    from engine.containers.containers import Containers
    from engine.images.images import Images
    from engine.network.networks import Networks
    from engine.rootfs.volumes import Volumes
    from engine.state.paths import Roots


class Engine:
    """Containers, images, networks and volumes below one pair of roots.

    Each part is loaded when it is first asked for. Not to be shared between threads.
    """

    def __init__(self, roots: Roots) -> None:
        self.roots = roots

    @cached_property
    def db(self) -> sqlite3.Connection:
        """The database. Raises NotRoot for a user who may not use it."""
        if os.geteuid() != 0:
            raise NotRoot(
                "Buoy makes namespaces, mounts and firewall rules: it has to run as root",
                hint="run it with sudo",
            )
        return open_database(self.roots)

    @cached_property
    def images(self) -> Images:
        """Images and their layers."""
        from engine.images.images import Images

        return Images(self.roots)

    @cached_property
    def networks(self) -> Networks:
        """Networks, addresses and names."""
        from engine.network.networks import Networks

        return Networks(self.roots, self.db)

    @property
    def notices(self) -> list[str]:
        """What the user should hear of networks, so far (`Networks.notices`)."""
        return self.networks.notices if "networks" in self.__dict__ else []

    @cached_property
    def volumes(self) -> Volumes:
        """Named and anonymous volumes."""
        from engine.rootfs.volumes import Volumes

        return Volumes(self.roots, self.db, lambda name: self.containers.users_of_volume(name))

    @cached_property
    def containers(self) -> Containers:
        """Containers."""
        from engine.containers.containers import Containers

        return Containers(self.roots, self.db, self)

    def close(self) -> None:
        """Let go of the stage and the database; containers run on."""
        if "containers" in self.__dict__:
            self.containers.close()
        if "networks" in self.__dict__:
            self.networks.close()
        if "images" in self.__dict__:
            self.images.close()
        if "db" in self.__dict__:
            self.db.close()
