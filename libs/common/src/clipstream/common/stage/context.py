"""What a handler is given beside its event. The runner implements it; tests hand in a small one of their own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import ParamSpec, Protocol, TypeVar

from clipstream.common.contracts.ids import RunId
from clipstream.common.contracts.keys import ObjectKey
from clipstream.common.stage.outputs import Take
from clipstream.common.store.objects import ObjectStore

T = TypeVar("T")
P = ParamSpec("P")


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on one child process: wall clock, CPU time, address space, size of one written file, open files. `nice` is
    how far it stands back behind others on its machine, as in nice(2).

    `devices` are the device files it may use, such as those of a graphics card, and what else its driver reads. With any,
    `memory_bytes` bounds the memory that is written to instead of address space, and more system calls are open: name
    them for a job that needs them, and for no other."""

    wall: timedelta = timedelta(minutes=10)
    cpu: timedelta = timedelta(minutes=20)
    memory_bytes: int = 4 << 30
    file_bytes: int = 8 << 30
    open_files: int = 256
    nice: int = 0
    devices: tuple[str, ...] = ()


class StageContext(Protocol):
    """One attempt at one event."""

    store: ObjectStore
    run_id: RunId
    attempt: int
    scratch: Path  # private to this attempt, removed after it

    async def isolate(
        self,
        target: Callable[..., T],
        *,
        source: ObjectKey | None = None,
        limits: Limits | None = None,
        take: Take | None = None,
        **arguments: object,
    ) -> T:
        """Run a module-level function in a caged child process: no network, no files but `scratch`, bounded time and memory.

        With `source`, the function's first parameter is a seekable binary file that reads the object by ranges. A
        parameter named `progress` receives a `Callable[[float], None]`. One named `emit` receives a `Callable[[Path], None]`
        to say that a file directly below `scratch` is complete: `take` is awaited with it, while the child goes on, and the
        file is gone after that; the child waits where too many are on their way. Arguments and the result travel as JSON, by the
        function's own annotations. Errors of clipstream.common.errors arrive as they were raised; a child that dies of
        a signal or its limits raises `Transient` with the reason in words; a cancelled caller kills it at once.
        """
        ...

    async def thread(self, target: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run something that releases the GIL (a warm model) in the stage's own threads."""
        ...

    def progress(self, fraction: float, note: str | None = None) -> None:
        """Tell how far the work is, 0..1. Cheap: sent at most once a second. Callable from any thread.

        Raises `Cancelled` once nobody wants the result any more: work in a thread is stopped by nothing else."""
        ...
