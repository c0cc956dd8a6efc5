"""Writing docker's config.json: what is not about one registry's login stays as it is."""

from __future__ import annotations

import base64
import contextlib
import copy
import fcntl
import json
import os
import tempfile
from typing import TYPE_CHECKING

from engine.errors import ImageProblem
from engine.images.registry.credential_helpers import (
    TOKEN_USER,
    erase_by_helper,
    helper_of,
    store_by_helper,
)
from engine.images.registry.credentials import is_key_of, keys_of, read_config
from engine.images.registry.docker_config import docker_config_path

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from engine.images.registry.credentials import Credentials


def store_credentials(domain: str, credentials: Credentials) -> str:
    """Keep them for `domain`; the file they are in, or the program that has them.

    Raises ImageProblem where the file cannot be read or written, or the program fails.
    """
    key = keys_of(domain)[0]
    with _edited() as (path, config):
        entries = config["auths"] = config.get("auths") or {}
        helper = helper_of(config, key)
        if helper:
            user = TOKEN_USER if credentials.identity_token else credentials.user
            secret = credentials.identity_token or credentials.password
            store_by_helper(helper, key, user, secret)
            entries[key] = {}  # as docker has it: the list of what one is logged in to
            return f"docker-credential-{helper}"
        entries[key] = _encoded(credentials)
        return path


def erase_credentials(domain: str) -> bool:
    """Forget those for `domain`, under whatever key; False where there were none."""
    if not os.path.exists(docker_config_path()):
        return False
    found = False
    with _edited() as (_, config):
        for key in keys_of(domain):
            helper = helper_of(config, key)
            if helper:
                found |= erase_by_helper(helper, key)
        entries = config.get("auths") or {}
        for key in [one for one in entries if is_key_of(one, domain)]:
            found |= bool(entries.pop(key))
    return found


def _encoded(credentials: Credentials) -> dict[str, str]:
    login = f"{credentials.user}:{credentials.password}"
    entry = {"auth": base64.b64encode(login.encode()).decode()}
    if credentials.identity_token:
        entry["identitytoken"] = credentials.identity_token
    return entry


@contextlib.contextmanager
def _edited() -> Iterator[tuple[str, dict[str, Any]]]:
    """The file as JSON, written back whole if the block has changed it; one writer at a time."""
    path = os.path.realpath(docker_config_path())
    try:
        with _locked(os.path.dirname(path)):
            config = read_config(path)
            before = copy.deepcopy(config)
            yield path, config
            if config != before:
                _replace(path, json.dumps(config, indent="\t") + "\n")
    except OSError as error:
        raise ImageProblem(
            f"credentials cannot be kept: {error.strerror}", where=path, code="credentials"
        ) from None


@contextlib.contextmanager
def _locked(directory: str) -> Iterator[None]:
    """Made where it is not there. The lock is its own: no file of ours is left in it."""
    os.makedirs(directory, mode=0o700, exist_ok=True)
    lock = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _replace(path: str, text: str) -> None:
    """For its owner alone to read, from the beginning."""
    fd, temporary = tempfile.mkstemp(prefix=".config-", dir=os.path.dirname(path))  # 0600
    try:
        with os.fdopen(fd, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
            with contextlib.suppress(FileNotFoundError):
                owner = os.stat(path)
                os.fchown(file.fileno(), owner.st_uid, owner.st_gid)
        os.rename(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
