"""What becomes of volumes that are defined otherwise now: they are kept, unless the user agrees."""

from __future__ import annotations

import sys

from compose.reconcile import names
from compose.reconcile.changed_volumes import changed_volumes, foreign_volumes
from compose.ui.asking import agreed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

    from compose.commands.context import Context
    from compose.model import Project
    from compose.reconcile.changed_volumes import ChangedVolume
    from compose.reconcile.observe import Observed
    from compose.reconcile.plan import UpOptions


def settle_volumes(
    context: Context,
    project: Project,
    observed: Observed,
    options: UpOptions,
    *,
    yes: bool,
    ask: bool = True,
) -> UpOptions:
    """The options, with the volumes that are to be recreated.

    yes  all of them. Without it the user is asked (no `ask`, or no terminal: told).

    Raises VolumeProblem where a new one could not be made.
    """
    services = options.selected(project)
    for volume in foreign_volumes(project, services.values(), observed):
        context.console.warn(
            f"volume `{volume.name}` was not made by project {project.name}: it is used as it is, "
            "and `external: true` would say so"
        )
    chosen = [
        change.volume.name
        for change in changed_volumes(project, services.values(), observed)
        if _is_recreated(context, change, services, yes=yes, ask=ask)
    ]
    return options.replace(recreate_volumes=tuple(chosen))


def _is_recreated(
    context: Context, change: ChangedVolume, services: Collection[str], *, yes: bool, ask: bool
) -> bool:
    volume = change.volume
    exists = f"volume `{volume.name}` exists with another definition ({', '.join(change.what)})"
    others = _other_users(context, change, services)
    if others:
        context.console.warn(f"{exists} and is kept: {', '.join(others)} has it, too")
        return False
    asking = ask and sys.stdin.isatty() and sys.stderr.isatty() and not context.options.dry_run
    if yes or (asking and agreed(exists, "Recreate it (what is in it will be lost)?")):
        context.engine.volumes.check(volume.name, volume.driver, volume.driver_opts)
        return True
    if not asking:
        context.console.warn(f"{exists} and is kept; with -y it is recreated, and empty then")
    return False


def _other_users(context: Context, change: ChangedVolume, services: Collection[str]) -> list[str]:
    """Containers that mount the volume and would not be made again."""
    made_again = {one.name for one in change.users if one.labels.get(names.SERVICE) in services}
    users = context.engine.containers.users_of_volume(change.volume.name)
    return [name for name in users if name not in made_again]
