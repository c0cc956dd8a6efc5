"""What a project is loaded by."""

from __future__ import annotations

from compose.model.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


class LoadOptions(Record):
    """The global options of a command line, and where it was given.

    files               -f; empty: searched for
    env_files           --env-file; empty: .env
    profiles            --profile; empty: COMPOSE_PROFILES
    services            named on the command line: their profiles are active
    all_resources       networks, volumes and others are kept though no service uses them
    working_directory   absolute; relative paths of the options are resolved against it
    environment         variables of the process
    ordered             False: nothing is going to be made, so that no graph is needed
    consistency         False: do not check that names lead somewhere, and make no graph
    read_env_files      False: leave `env_file` of services unread
    loopback            ports are published for this host alone, whatever the files say
    """

    working_directory: str
    environment: Mapping[str, str]
    files: tuple[str, ...] = ()
    project_name: str | None = None
    project_directory: str | None = None
    env_files: tuple[str, ...] = ()
    profiles: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    all_resources: bool = False
    ordered: bool = True
    consistency: bool = True
    read_env_files: bool = True
    loopback: bool = False
