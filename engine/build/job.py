"""One build under way: what all of its steps share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.kernel.record import Record

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable, Mapping

    from engine.build.cache import StepCache
    from engine.build.context import Context
    from engine.build.contexts import Contexts
    from engine.build.debugging import Debugger
    from engine.build.instructions import Dockerfile
    from engine.build.offers import Offers
    from engine.build.progress import Reporter, StepReport
    from engine.build.spec import BuildSpec
    from engine.build.state import StageState
    from engine.engine import Engine

PREDEFINED_ARGUMENTS = frozenset(
    name
    for proxy in ("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY")
    for name in (proxy, proxy.lower())
)


class Job(Record):
    """What the steps of one build share.

    path       of the Dockerfile on the host; what it is called when messages compare builds
    arguments  ARGs from before the first FROM, and the automatic ones
    contexts   those that are given by name
    stage      the state at the end of an earlier stage, once it is there
    debugger   looks at what failed; None: nobody does
    epoch_s    when all is said to have been made, and nothing is newer; None: as it comes
    slots      of which a step holds one while it is made: each may fill a processor
    """

    engine: Engine
    spec: BuildSpec
    dockerfile: Dockerfile
    path: str
    context: Context
    contexts: Contexts
    cache: StepCache
    offers: Offers
    reporter: Reporter
    arguments: Mapping[str, str]
    platform: str
    stage: Callable[[int], Awaitable[StageState]]
    debugger: Debugger | None
    epoch_s: int | None
    slots: asyncio.Semaphore

    @property
    def scratch_root(self) -> str:
        """Where half-made layers are: on the filesystem of the finished ones."""
        return self.engine.roots.temporary

    @property
    def proxies(self) -> dict[str, str]:
        """Build arguments that RUN gets without asking, and that no cache key has."""
        return {n: v for n, v in self.spec.args.items() if n in PREDEFINED_ARGUMENTS}

    @property
    def turns(self) -> str:
        """The file by which builds take turns at a step."""
        return f"{self.engine.roots.root}/steps.lock"


class LayerStep(Record):
    """A step that makes a layer, decided but not yet done.

    record      all that its result depends on
    apart       whether the layer knows nothing of what is below it (COPY --link): there is a parent
                in the record, for that says which chain it is part of
    created_by  for the history
    make        does it; the chain id of the new layer, None where nothing changed
    """

    record: Mapping[str, object]
    created_by: str
    make: Callable[[StepReport], Awaitable[str | None]]
    apart: bool = False
