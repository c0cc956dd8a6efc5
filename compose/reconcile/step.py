"""A plan: ordered steps, each with its cause and with what it needs."""

from __future__ import annotations

from compose.model.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Literal

    Action = Literal[
        "pull",
        "push",
        "build",
        "fetch",
        "create",
        "recreate",
        "rename",
        "restore",
        "start",
        "stop",
        "restart",
        "kill",
        "pause",
        "unpause",
        "run",
        "remove",
        "wait",
    ]
    Kind = Literal["image", "network", "volume", "container"]


class Step(Record):
    """One change (or one wait), as it prints: `#2 recreate container web-1: image changed [1]`.

    name       of the thing: `web-1` for a container, else its full name
    cause      why the step is in the plan
    needs      ids of the steps that come before it
    tolerates  those of `needs` that may fail (`depends_on.required: false`, removals)
    service    the container's service, or that whose image it is
    number     of the replica, from 1; 0 where there is none
    target     id of the observed container that the step acts on

    To `fetch` an image is to pull it, and to build it where it cannot be pulled.
    """

    id: int
    action: Action
    kind: Kind
    name: str
    cause: str
    needs: tuple[int, ...] = ()
    tolerates: tuple[int, ...] = ()
    service: str = ""
    number: int = 0
    target: str = ""

    @property
    def subject(self) -> str:
        """The thing changed, as progress lines show it: `Container web-1`."""
        return f"{self.kind.capitalize()} {self.name}"

    def __str__(self) -> str:
        needs = f" [{' '.join(map(str, self.needs))}]" if self.needs else ""
        return f"#{self.id} {self.action} {self.kind} {self.name}: {self.cause}{needs}"


class Detail(Record):
    """What goes on within a step under way.

    done_bytes, total_bytes  None where nothing is counted, or not known
    part                     what it is about: a layer, by the first digits of its digest; else
                             the step as a whole
    """

    text: str
    done_bytes: int | None = None
    total_bytes: int | None = None
    part: str = ""


class StepList:
    """Steps in the making: gives each its id, and remembers which step made what."""

    def __init__(self, first_id: int = 1) -> None:
        self._first_id = first_id
        self._steps: list[Step] = []

    def add(
        self,
        action: Action,
        kind: Kind,
        name: str,
        cause: str,
        *,
        needs: Iterable[int] = (),
        tolerates: Iterable[int] = (),
        service: str = "",
        number: int = 0,
        target: str = "",
    ) -> int:
        """Append a step and return its id; `needs` are put in order, each once."""
        step = Step(
            id=self._first_id + len(self._steps),
            action=action,
            kind=kind,
            name=name,
            cause=cause,
            needs=tuple(sorted(set(needs))),
            tolerates=tuple(sorted(set(tolerates))),
            service=service,
            number=number,
            target=target,
        )
        self._steps.append(step)
        return step.id

    def done(self) -> tuple[Step, ...]:
        """The plan."""
        return tuple(self._steps)


def format_plan(steps: Iterable[Step]) -> str:
    """One line per step."""
    return "\n".join(map(str, steps))
