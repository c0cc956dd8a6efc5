"""Datagrams that are relayed: whose answers find their way back."""

from __future__ import annotations

import socket
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.network.relay import Listener, Relay

UDP_IDLE_S = 90.0
_DATAGRAM_BYTES = 65_507
_TURNS = 64  # datagrams of one client before others have theirs
_IPV6_PKTINFO, _IPV6_RECVPKTINFO = 50, 49  # include/uapi/linux/in6.h

_room = memoryview(bytearray(_DATAGRAM_BYTES))  # for the one that is on its way


def receiving(relay: Relay, listener: Listener) -> Callable[[], None]:
    """What is done when datagrams have come: one socket to the container for each client, until
    it is idle."""
    reserved = listener.reserved
    sessions: dict[tuple[object, ...], _Session] = {}
    if reserved.family == socket.AF_INET6:  # the answer has to come from where it was sent to
        reserved.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVPKTINFO, 1)

    def receive() -> None:
        for _ in range(_TURNS):
            try:
                size, ancillary, _, client = reserved.recvmsg_into([_room], 64)
            except BlockingIOError:
                return
            except OSError:  # an ICMP error of an earlier answer
                continue
            session = sessions.get(client)
            if session is None:
                if not relay.enter():
                    continue
                info = [one for one in ancillary if one[1] == _IPV6_PKTINFO]
                try:
                    session = _Session(relay, listener, client, info, sessions)
                except OSError:  # there is no way to the container now: it is lost
                    relay.left()
                    continue
                sessions[client] = session
            session.send(_room[:size])

    return receive


class _Session:
    """A client that sends datagrams."""

    __slots__ = ("_client", "_info", "_inside", "_relay", "_reserved", "_sessions", "_used_s")

    def __init__(
        self,
        relay: Relay,
        listener: Listener,
        client: tuple[object, ...],
        info: list[tuple[int, int, bytes]],
        sessions: dict[tuple[object, ...], _Session],
    ) -> None:
        self._relay, self._reserved, self._client = relay, listener.reserved, client
        self._info, self._sessions = info, sessions
        self._inside = listener.connection()
        try:
            self._inside.connect(listener.target)
        except OSError:
            self._inside.close()
            raise
        relay.loop.add_reader(self._inside.fileno(), self._answer)
        self._used_s = time.monotonic()
        relay.loop.call_later(UDP_IDLE_S, self._check)

    def send(self, datagram: memoryview) -> None:
        """To the container."""
        self._used_s = time.monotonic()
        try:
            self._inside.send(datagram)
        except OSError:  # nobody listens there now: as on any network, it is lost
            return

    def _answer(self) -> None:
        for _ in range(_TURNS):
            try:
                size = self._inside.recv_into(_room)
                self._reserved.sendmsg([_room[:size]], self._info, 0, self._client)
            except BlockingIOError:
                return
            except OSError:  # refused, or the client has gone
                continue

    def _check(self) -> None:
        """One timer for all of its datagrams: a cancelled one is kept until it would be due."""
        left_s = self._used_s + UDP_IDLE_S - time.monotonic()
        if left_s > 0:
            self._relay.loop.call_later(left_s, self._check)
            return
        self._relay.loop.remove_reader(self._inside.fileno())
        self._inside.close()
        del self._sessions[self._client]
        self._relay.left()
