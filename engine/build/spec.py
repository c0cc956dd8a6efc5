"""What is asked of a build."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.kernel.record import Record

if TYPE_CHECKING:
    from collections.abc import Mapping


class BuildSecret(Record):
    """What a secret is: the content of a file, or a text. Read when a RUN asks for it."""

    file: str | None = None
    text: str | None = None


class CacheTarget(Record):
    """How the cache of a build is written.

    whole     with all of its stages, or with what the image is made of alone
    may_fail  whether the build is done all the same where it cannot be written
    """

    whole: bool = False
    may_fail: bool = False


class BuildSpec(Record):
    """One image to be built from a directory and a Dockerfile.

    context              absolute directory that COPY takes files from; or a tar archive, or a URL
                         of one, or a git repository, or, in place of all that, a Dockerfile
    dockerfile           path relative to the context, or absolute
    dockerfile_inline    the text of the Dockerfile, in place of a file
    args                 values for its ARGs
    target               name or number of the stage wanted; None: the last
    labels               for the image, added to those of the Dockerfile
    tags                 references that the image gets
    pull                 ask the registry for newer base images
    network              of RUN: default (a bridge of the engine's), none, host, or a network
    additional_contexts  name -> `docker-image://REFERENCE` or `oci-layout://DIRECTORY[:TAG]` for
                         FROM and --from; directory, archive, repository or URL for --from
    shm_size_bytes       of /dev/shm in RUN
    ulimits              of RUN: soft, hard
    secrets              id -> what RUN --mount=type=secret gets
    ssh                  id -> an agent's socket, or private keys, for RUN --mount=type=ssh; (): the
                         agent of SSH_AUTH_SOCK
    entitlements         what RUN may ask for: network.host, security.insecure
    cache_from           steps that others have run: absolute directories, or references of caches
                         and of images at registries
    cache_to             where to write those of this build: the same, but for images
    inline_cache         whether the config of the image has those that it is made of
    platforms            that the image is wanted for; (): this machine's
    no_cache_stages      names of stages of which every step is run again
    cache_limit_bytes    what the build cache may have when the build is done; None: the default
    """

    context: str
    dockerfile: str = "Dockerfile"
    dockerfile_inline: str | None = None
    args: Mapping[str, str] = {}
    target: str | None = None
    labels: Mapping[str, str] = {}
    tags: tuple[str, ...] = ()
    no_cache: bool = False
    pull: bool = False
    network: str = "default"
    extra_hosts: tuple[tuple[str, str], ...] = ()
    shm_size_bytes: int = 64 * 1024 * 1024
    ulimits: Mapping[str, tuple[int, int]] = {}
    additional_contexts: Mapping[str, str] = {}
    secrets: Mapping[str, BuildSecret] = {}
    ssh: Mapping[str, tuple[str, ...]] = {}
    entitlements: tuple[str, ...] = ()
    platforms: tuple[str, ...] = ()
    cache_from: tuple[str, ...] = ()
    cache_to: Mapping[str, CacheTarget] = {}
    inline_cache: bool = False
    no_cache_stages: tuple[str, ...] = ()
    cache_limit_bytes: int | None = None
