"""`buoy build --check` and `--print`: what would be built, and what is doubtful in it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from compose.reconcile.build_spec import MIB

if TYPE_CHECKING:
    from collections.abc import Mapping

    from compose.commands.context import Context
    from engine import BuildSpec, CacheTarget


def check_builds(context: Context, specs: Mapping[str, BuildSpec]) -> int:
    """Say what is doubtful, in Docker's words; 1 where something is. Raises Problem."""
    from engine import check_build

    found = [one for spec in specs.values() for one in check_build(spec)]
    for lint, lines in found:
        context.console.out(f"WARNING: {lint.rule}\n{lint.what}\n{lines}\n")
    count = f"{len(found)} warning{'s have' if len(found) > 1 else ' has'} been found!"
    context.console.out(f"Check complete, {count if found else 'no warnings found.'}")
    return 1 if found else 0


def print_builds(context: Context, specs: Mapping[str, BuildSpec]) -> int:
    """The builds as a definition of `docker buildx bake`: 0."""
    document = {
        "group": {"default": {"targets": list(specs)}},
        "target": {name: _target(spec) for name, spec in specs.items()},
    }
    context.console.out(json.dumps(document, indent=2))
    return 0


def _target(spec: BuildSpec) -> dict[str, Any]:
    """Without what says nothing. Secrets are named, not shown."""
    values = {
        "context": spec.context,
        "contexts": dict(spec.additional_contexts),
        "dockerfile": None if spec.dockerfile_inline else spec.dockerfile,
        "dockerfile-inline": spec.dockerfile_inline,
        "args": dict(spec.args),
        "labels": dict(spec.labels),
        "tags": list(spec.tags),
        "target": spec.target,
        "secret": [
            f"id={name},type=file,src={one.file}" if one.file else f"id={name},type=env,env={name}"
            for name, one in spec.secrets.items()
        ],
        "ssh": [f"{name}={','.join(paths)}".rstrip("=") for name, paths in spec.ssh.items()],
        "platforms": list(spec.platforms),
        "pull": spec.pull,
        "no-cache": spec.no_cache,
        "no-cache-filter": list(spec.no_cache_stages),
        "networkmode": None if spec.network == "default" else spec.network,
        "extra-hosts": dict(spec.extra_hosts),
        "shm-size": None if spec.shm_size_bytes == 64 * MIB else str(spec.shm_size_bytes),
        "ulimits": [f"{name}={soft}:{hard}" for name, (soft, hard) in spec.ulimits.items()],
        "cache-from": [_cache(place, "src") for place in spec.cache_from],
        "cache-to": [
            *(_cache_target(place, how) for place, how in spec.cache_to.items()),
            *(["type=inline"] if spec.inline_cache else []),
        ],
        "entitlements": list(spec.entitlements),
        "output": ["type=docker"],
    }
    return {name: value for name, value in values.items() if value}


def _cache(place: str, path: str) -> str:
    return f"type=local,{path}={place}" if place.startswith("/") else f"type=registry,ref={place}"


def _cache_target(place: str, how: CacheTarget) -> str:
    text = _cache(place, "dest")
    text += ",mode=max" if how.whole else ""
    return text + (",ignore-error=true" if how.may_fail else "")
