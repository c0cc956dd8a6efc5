"""HTTP as registries need it: no retries or redirects of the library's own, short patience."""

from __future__ import annotations

import re
import socket
import threading
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import urllib3
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    InsecureRequestWarning,
    NameResolutionError,
    NewConnectionError,
    ProxyError,
    SSLError,
)

from engine.errors import ImageProblem
from engine.images.registry.errors import RegistryUnreachable, tls_problem
from engine.images.registry.proxies import find_proxy
from engine.images.registry.trust import find_trust, tls_context
from engine.images.registry.wakeable import Sockets
from engine.images.side_by_side import Stopped
from engine.images.waits import end_with_work

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from urllib.parse import SplitResult

    from urllib3 import BaseHTTPResponse

    from engine.images.registry.trust import Trust

CONNECT_TIMEOUT_S = 5.0
READ_TIMEOUT_S = 60.0
LARGEST_ANSWER_BYTES = 4 * 1024 * 1024
_LARGEST_REFUSAL_BYTES = 64 * 1024
_CONNECTIONS = 5  # as many as there are layers on their way
_ERRNO = re.compile(r"\[Errno -?\d+\] ")


class Interrupted(Exception):
    """The connection broke or fell silent: worth another try."""


class Http:
    """Connections to one registry and where it sends us, kept open between requests."""

    def __init__(self) -> None:
        self._pools: dict[tuple[str | None, Trust | None], urllib3.PoolManager] = {}
        self._trusts: dict[str, Trust] = {}  # by host, of https alone
        self._resolved: set[str] = set()
        self._lock = threading.Lock()
        self._sockets = Sockets()
        self._stopped = threading.Event()

    def stop(self) -> None:
        """End what other threads wait for. From now on all that is sent is a DELETE: what was
        begun is given up."""
        self._stopped.set()
        self._sockets.shut_down()

    def check(self) -> None:
        """Raises Stopped after `stop`."""
        if self._stopped.is_set():
            raise Stopped

    def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | Iterable[bytes] | None = None,
    ) -> BaseHTTPResponse:
        """Send a request; the answer, its body not read yet.

        body  in small pieces: each has CONNECT_TIMEOUT_S to be sent in

        Raises RegistryUnreachable, ImageProblem (`registry-tls`, `proxy`), Interrupted or Stopped.
        """
        end_with_work(self.stop)
        if method != "DELETE":
            self.check()
        read_s = CONNECT_TIMEOUT_S if self._stopped.is_set() else READ_TIMEOUT_S
        parts = split_url(url)
        host = parts.netloc.rpartition("@")[2]
        _check_headers(headers, host)
        pool = self._pool(parts.scheme, host, parts.hostname or "")
        try:
            return pool.request(
                method,
                url,
                headers={"User-Agent": "buoy", "Accept-Encoding": "identity", **headers},
                body=body,
                redirect=False,
                retries=False,
                preload_content=False,
                timeout=urllib3.Timeout(connect=CONNECT_TIMEOUT_S, read=read_s),
            )
        except SSLError as error:
            raise tls_problem(host, reason_of(error)) from None
        except ProxyError as error:
            why = f"its proxy, {_proxy_host(parts.scheme, host)}: {reason_of(error)}"
            raise RegistryUnreachable(host, why) from None
        except (NameResolutionError, NewConnectionError, ConnectTimeoutError) as error:
            raise RegistryUnreachable(host, reason_of(error)) from None
        except HTTPError as error:
            raise Interrupted(reason_of(error)) from None

    def _pool(self, scheme: str, host: str, name: str) -> urllib3.PoolManager:
        proxy = find_proxy(scheme, host)
        if proxy is None:
            self._resolve(host, name)
        with self._lock:
            if scheme == "https" and host not in self._trusts:
                self._trusts[host] = find_trust(host)
            key = proxy, self._trusts[host] if scheme == "https" else None
            if key not in self._pools:
                self._pools[key] = _new_pool(*key)
                self._sockets.watch(self._pools[key])
            return self._pools[key]

    def _resolve(self, host: str, name: str) -> None:
        """The resolver's own patience is tens of seconds; ours is that of a connection."""
        if name in self._resolved:
            return
        failures: list[str] = []
        thread = threading.Thread(target=_look_up, args=(name, failures), daemon=True)
        thread.start()
        thread.join(CONNECT_TIMEOUT_S)
        if thread.is_alive():
            raise RegistryUnreachable(host, "its name is not resolved in time")
        if failures:
            raise RegistryUnreachable(host, f"its name is not known ({failures[0]})")
        self._resolved.add(name)


def split_url(url: str) -> SplitResult:
    """Its parts. Raises ImageProblem (`invalid-url`) on what servers and users make up."""
    try:
        parts = urlsplit(url)
        _ = parts.port  # looked at only when it is asked for
    except ValueError as error:
        raise ImageProblem(f"{url!r} is no address: {error}", code="invalid-url") from None
    return parts


def _check_headers(headers: Mapping[str, str], host: str) -> None:
    """They hold what token servers and config.json say, which may be secret."""
    for name, value in headers.items():
        if not (f"{name}{value}".isascii() and f"{name}{value}".isprintable()):
            raise ImageProblem(
                f"{host} cannot be sent what there is for the header {name!r}: it is no plain text",
                code="registry-error",
            )


def read_body(response: BaseHTTPResponse, limit_bytes: int = LARGEST_ANSWER_BYTES) -> bytes:
    """A small body, whole. Raises ImageProblem on a large one, Interrupted on a broken one."""
    try:
        data = response.read(limit_bytes + 1, decode_content=True)
        if len(data) <= limit_bytes:
            response.drain_conn()
            return data
    except HTTPError as error:
        raise Interrupted(reason_of(error)) from None
    finally:
        response.release_conn()
    place = (response.url or "").partition("?")[0]
    raise ImageProblem(f"{place} has more than {limit_bytes} bytes", code="registry-error")


def read_some(response: BaseHTTPResponse) -> bytes:
    """The beginning of a body that only explains; the connection can be used again."""
    try:
        return read_body(response, _LARGEST_REFUSAL_BYTES)
    except (Interrupted, ImageProblem):
        return b""


def _new_pool(proxy: str | None, trust: Trust | None) -> urllib3.PoolManager:
    context = tls_context(trust) if trust is not None else None
    if trust is not None and not trust.verify:
        urllib3.disable_warnings(InsecureRequestWarning)  # the user has said so
    if proxy is None:
        return urllib3.PoolManager(maxsize=_CONNECTIONS, ssl_context=context)
    parts = urlsplit(proxy)
    headers = None
    if parts.username:
        login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        headers = urllib3.make_headers(proxy_basic_auth=login)
    return urllib3.ProxyManager(
        proxy, maxsize=_CONNECTIONS, ssl_context=context, proxy_headers=headers
    )


def _proxy_host(scheme: str, host: str) -> str:
    """Without the password that may be in its address."""
    return urlsplit(find_proxy(scheme, host) or "").netloc.rpartition("@")[2]


def _look_up(name: str, failures: list[str]) -> None:
    try:
        socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except OSError as error:
        failures.append(str(error.strerror))
    except UnicodeError as error:  # what can never be a name: `a..b`
        failures.append(str(error))


def reason_of(error: Exception) -> str:
    """The cause in a few words: urllib3 wraps it, with the object's repr in front."""
    while error.args and isinstance(error.args[-1], Exception):
        error = error.args[-1]
    text = str(error.__cause__ or error.args[-1] if error.args else error)
    return _ERRNO.sub("", text.rpartition(">: ")[2]).strip()
