"""How the image of a service is built, in the engine's words: Service -> BuildSpec."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from compose import __version__
from compose.reconcile import names
from compose.reconcile.built import check_build_built
from compose.reconcile.outside_arguments import outside_arguments
from compose.source.cache_entries import parse_cache_entry
from engine import BuildSecret, BuildSpec, CacheTarget
from engine.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from compose.model import Project, Service
    from compose.model.build import Build

MIB = 1024 * 1024


def build_spec(
    project: Project,
    service: Service,
    *,
    args: Mapping[str, str] = {},
    no_cache: bool = False,
    pull: bool = False,
    ssh: Mapping[str, tuple[str, ...]] = {},
) -> BuildSpec:
    """The build of a service that has one; the keywords are those of the command line, and win.

    Raises NotBuilt for what Buoy cannot do yet.
    """
    build = service.build
    assert build is not None  # the caller has looked
    check_build_built(project, service)
    labels = {
        names.PROJECT: project.name,
        names.SERVICE: service.name,
        names.VERSION: __version__,
    }
    return BuildSpec(
        context=build.context,
        dockerfile=build.dockerfile,
        dockerfile_inline=build.dockerfile_inline,
        args={**outside_arguments(), **build.args, **args},
        target=build.target,
        labels={**build.labels, **labels},
        tags=(service.image_name, *build.tags),
        no_cache=build.no_cache or no_cache,
        pull=build.pull or pull,
        network=build.network or "default",
        extra_hosts=build.extra_hosts,
        shm_size_bytes=build.shm_size_bytes or 64 * MIB,
        ulimits=build.ulimits,
        additional_contexts={
            name: _context(project, place) for name, place in build.additional_contexts.items()
        },
        secrets=_secrets(project, build),
        ssh={**{name: (path,) if path else () for name, path in build.ssh.items()}, **ssh},
        entitlements=(*build.entitlements, *(("security.insecure",) if build.privileged else ())),
        platforms=build.platforms or ((service.platform,) if service.platform else ()),
        no_cache_stages=build.no_cache_filter,
        cache_from=cache_sources(build.others.get("cache_from") or ()),
        cache_to=cache_targets(build.others.get("cache_to") or ()),
        inline_cache=has_inline_cache(build.others.get("cache_to") or ()),
        cache_limit_bytes=cache_limit_bytes(),
    )


def _secrets(project: Project, build: Build) -> dict[str, BuildSecret]:
    """By the id that RUN names."""
    sources = ((one.target, project.secrets[one.source]) for one in build.secrets)
    return {name: BuildSecret(file=source.file, text=source.content) for name, source in sources}


def cache_sources(entries: Iterable[str]) -> tuple[str, ...]:
    """`type=local,src=DIRECTORY` as absolute paths, `[type=registry,ref=]REFERENCE` as references;
    caches elsewhere are left out."""
    read = map(parse_cache_entry, entries)
    return tuple(place for fields in read if (place := _cache_place(fields, "src")))


def cache_targets(entries: Iterable[str]) -> dict[str, CacheTarget]:
    """The same for `type=local,dest=DIRECTORY`, with `mode=max` and `ignore-error=true`."""
    read = map(parse_cache_entry, entries)
    return {
        place: CacheTarget(
            whole=fields.get("mode") == "max", may_fail=fields.get("ignore-error") == "true"
        )
        for fields in read
        if (place := _cache_place(fields, "dest"))
    }


def has_inline_cache(entries: Iterable[str]) -> bool:
    """Whether one of them is `type=inline`."""
    return any(parse_cache_entry(entry).get("type") == "inline" for entry in entries)


def _cache_place(fields: Mapping[str, str], path: str) -> str | None:
    if fields.get("type") == "local":
        return os.path.abspath(fields[path]) if fields.get(path) else None  # noqa: PTH100
    return fields.get("ref") if fields.get("type") == "registry" else None


def cache_limit_bytes() -> int | None:
    """BUOY_BUILD_CACHE; None where it does not say. Raises Problem."""
    text = os.environ.get("BUOY_BUILD_CACHE")
    if not text:
        return None
    from compose.source.values import parse_size

    try:
        return parse_size(text, unit=1000)
    except ValueError as error:
        raise Problem(f"BUOY_BUILD_CACHE: {error}", code="usage") from None


def _context(project: Project, place: str) -> str:
    """Another service's image in place of `service:NAME`."""
    kind, _, name = place.partition(":")
    return f"docker-image://{project.services[name].image_name}" if kind == "service" else place
