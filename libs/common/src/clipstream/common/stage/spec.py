"""What a stage is: a name, what it consumes, what it may answer with, and the function that does the work."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Generic, TypeVar

from clipstream.common.contracts.events import Event, Stage
from clipstream.common.stage.context import StageContext

E = TypeVar("E", bound=Event)


@dataclass(frozen=True, slots=True)
class Part:
    """One job of several that a stage does for one video: `number` of `count`, from 0. `name` is unique in the video."""

    name: str
    number: int
    count: int


@dataclass(frozen=True)
class StageSpec(Generic[E]):
    """One consumer of the pipeline.

    The handler returns the events the stage answers with and never publishes itself; types outside `emits` are a bug
    that the runner refuses. `slots` jobs run at once in one process. A job may take `ack_timeout` at most.

    `queue` is where its events come from, by default the stage's own. A stage whose work on one video is several jobs
    names each of them: `part` gives a name that holds for this job alone, and how far it is among how many. `ready` are
    functions that it isolates and nobody shall wait for: a child that has imported each is kept.
    """

    name: Stage
    consumes: type[E]
    emits: tuple[type[Event], ...]
    handler: Callable[[E, StageContext], Awaitable[Sequence[Event]]]
    slots: int = 1
    ack_timeout: timedelta = timedelta(hours=2)
    queue: str = ""
    part: Callable[[E], Part] | None = None
    ready: tuple[Callable[..., object], ...] = ()

    @property
    def source(self) -> str:
        """The queue that the stage's events come from."""
        return self.queue or self.name
