"""`linux.seccomp.listenerPath`: who answers for the calls that a profile leaves to somebody.

Source: runtime-spec config-linux.md, "The Container Process State".
"""

from __future__ import annotations

import json
import os
import socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Agent:
    """The way to an agent. Connected while its socket can be seen: it is in the host's root."""

    def __init__(self, profile: dict[str, Any], state: dict[str, Any]) -> None:
        """Raises OSError where nobody listens."""
        self._metadata, self._state = profile.get("listenerMetadata", ""), state
        self._peer = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._peer.connect(profile["listenerPath"])
        except OSError as error:
            where = profile["listenerPath"]
            raise OSError(
                error.errno, f"linux.seccomp.listenerPath {where}: {error.strerror}"
            ) from None
        self.pid = int(os.readlink("/proc/self"))  # as the host's procfs has it

    def hand_over(self, fd: int) -> None:
        """The descriptor of the filter, with what it is about."""
        about = {
            "ociVersion": self._state["ociVersion"],
            "fds": ["seccompFd"],
            "pid": self.pid,
            "metadata": self._metadata,
            "state": self._state,
        }
        socket.send_fds(self._peer, [json.dumps(about).encode()], [fd])
        os.close(fd)
        self._peer.close()


def attach(profile: dict[str, Any], process: dict[str, Any], state: dict[str, Any]) -> Agent | None:
    """Have the filter of a `process` handed over once it is there; None where nobody is asked."""
    if not profile.get("listenerPath"):
        return None
    agent = Agent(profile, state)
    process["hand_over_listener"] = agent.hand_over
    return agent
