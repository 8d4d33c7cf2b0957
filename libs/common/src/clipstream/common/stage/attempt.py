"""One attempt at one event, as the handler sees it: `StageContext` made real."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from functools import partial
from pathlib import Path
from typing import ParamSpec, Protocol, TypeVar

from clipstream.common.contracts.ids import RunId
from clipstream.common.contracts.keys import ObjectKey
from clipstream.common.errors import Cancelled
from clipstream.common.stage.context import Limits
from clipstream.common.stage.heartbeat import Heartbeat
from clipstream.common.stage.outputs import Take
from clipstream.common.store.objects import ObjectStore

T = TypeVar("T")
P = ParamSpec("P")


class Isolate(Protocol):
    """Runs a function in a caged child process; `clipstream.common.stage.isolate.isolate`."""

    async def __call__(
        self,
        target: Callable[..., T],
        *,
        store: ObjectStore,
        source: ObjectKey | None,
        scratch: Path,
        limits: Limits | None,
        progress: Callable[[float], None],
        take: Take | None,
        **arguments: object,
    ) -> T: ...


class Attempt:
    """A `StageContext`. Once the attempt is over, its `progress` raises `Cancelled`: that is how work in a thread, which
    nobody can stop from outside, learns that its result is no longer wanted."""

    def __init__(
        self,
        *,
        run_id: RunId,
        attempt: int,
        store: ObjectStore,
        scratch: Path,
        heartbeat: Heartbeat,
        threads: Executor,
        caged: Isolate,
    ) -> None:
        self.run_id = run_id
        self.attempt = attempt
        self.store = store
        self.scratch = scratch
        self._heartbeat = heartbeat
        self._threads = threads
        self._caged = caged
        self._loop = asyncio.get_running_loop()
        self._over = False

    async def isolate(
        self,
        target: Callable[..., T],
        *,
        source: ObjectKey | None = None,
        limits: Limits | None = None,
        take: Take | None = None,
        **arguments: object,
    ) -> T:
        return await self._caged(
            target,
            store=self.store,
            source=source,
            scratch=self.scratch,
            limits=limits,
            progress=self.progress,
            take=take,
            **arguments,
        )

    async def thread(self, target: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._loop.run_in_executor(self._threads, partial(target, *args, **kwargs))

    def progress(self, fraction: float, note: str | None = None) -> None:
        if self._over:
            raise Cancelled("This attempt is over.")
        self._loop.call_soon_threadsafe(self._heartbeat.tell, fraction, note)

    def end(self) -> None:
        self._over = True
