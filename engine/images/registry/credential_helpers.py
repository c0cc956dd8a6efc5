"""Programs that keep credentials: `docker-credential-NAME get|store|erase`.

Source: docker-credential-helpers, "Development".
"""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING, Any

from engine.errors import ImageProblem

if TYPE_CHECKING:
    from collections.abc import Mapping

TOKEN_USER = "<token>"  # instead of a user name, where the secret is an identity token
_TIMEOUT_S = 30.0
_LONGEST_MESSAGE = 300
_NOT_FOUND = "credentials not found"


def helper_of(config: Mapping[str, Any], key: str) -> str | None:
    """The helper for one registry, or else the general one, of a config.json."""
    helper = (config.get("credHelpers") or {}).get(key) or config.get("credsStore")
    return str(helper) if helper else None


def get_by_helper(helper: str, key: str) -> tuple[str, str] | None:
    """User and secret; None where it has none. Raises ImageProblem."""
    text = _run(helper, "get", key)
    if text is None:
        return None
    try:
        answer = json.loads(text)
        return str(answer.get("Username") or ""), str(answer.get("Secret") or "")
    except (ValueError, AttributeError, RecursionError):
        raise _failed(helper, "its answer is no JSON object") from None


def store_by_helper(helper: str, key: str, user: str, secret: str) -> None:
    """Raises ImageProblem."""
    _run(helper, "store", json.dumps({"ServerURL": key, "Username": user, "Secret": secret}))


def erase_by_helper(helper: str, key: str) -> bool:
    """False where it had none. Raises ImageProblem."""
    return get_by_helper(helper, key) is not None and _run(helper, "erase", key) is not None


def _run(helper: str, verb: str, given: str) -> str | None:
    """What it answers; None where it has no such credentials."""
    program = f"docker-credential-{os.path.basename(helper)}"
    try:
        answer = subprocess.run(
            [program, verb],
            input=given.encode(),
            capture_output=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise _failed(helper, f"it does not end within {_TIMEOUT_S:.0f} s") from None
    except OSError as error:
        raise _failed(helper, str(error)) from None
    if answer.returncode == 0:
        return answer.stdout.decode(errors="replace")
    said = (answer.stdout + answer.stderr).decode(errors="replace").strip()
    if _NOT_FOUND in said:
        return None
    raise _failed(helper, said[:_LONGEST_MESSAGE] or f"it ended with {answer.returncode}")


def _failed(helper: str, why: str) -> ImageProblem:
    return ImageProblem(
        f"docker-credential-{os.path.basename(helper)} failed: {why}",
        hint="docker's config.json names it, in `credsStore` or `credHelpers`",
        code="credentials",
    )
