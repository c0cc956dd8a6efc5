"""Connections whose sockets are known, so that a thread that waits at one can be woken."""

from __future__ import annotations

import contextlib
import socket
import threading
import weakref
from typing import TYPE_CHECKING

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

from engine.images.side_by_side import Stopped

if TYPE_CHECKING:
    from urllib3 import PoolManager


class Sockets:
    """Those of some pools, as long as they are in use."""

    def __init__(self) -> None:
        self._open: weakref.WeakSet[socket.socket] = weakref.WeakSet()
        self._lock = threading.Lock()
        self._is_closed = False

    def watch(self, manager: PoolManager) -> None:
        """Know of all connections that it will make."""
        sockets = self

        class Plain(HTTPConnection):
            def connect(self) -> None:
                sockets._check()
                super().connect()
                sockets._add(self.sock)

        class Secure(HTTPSConnection):
            def connect(self) -> None:
                sockets._check()
                super().connect()
                sockets._add(self.sock)

        class PlainPool(HTTPConnectionPool):
            ConnectionCls = Plain

        class SecurePool(HTTPSConnectionPool):
            ConnectionCls = Secure

        manager.pool_classes_by_scheme = {"http": PlainPool, "https": SecurePool}

    def shut_down(self) -> None:
        """Whoever waits for something to come, or to be taken, gets an error at once."""
        with self._lock:
            for one in self._open:
                with contextlib.suppress(OSError):  # it is closed, or was never connected
                    socket.socket.shutdown(one, socket.SHUT_RDWR)  # an SSLSocket's own undoes more

    def close(self) -> None:
        """The same, and where another one would be opened, Stopped is raised from now on."""
        self._is_closed = True
        self.shut_down()

    def _check(self) -> None:
        if self._is_closed:
            raise Stopped

    def _add(self, one: socket.socket) -> None:
        with self._lock:
            self._open.add(one)
