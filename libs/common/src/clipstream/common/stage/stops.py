"""What must stop: work on videos that are gone, and work that an operator has ended."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Coroutine, Hashable, Iterable
from typing import Any, TypeVar

import structlog

from clipstream.common.contracts.control import StopOrder
from clipstream.common.contracts.envelope import Envelope
from clipstream.common.contracts.events import Stage
from clipstream.common.contracts.ids import VideoId
from clipstream.common.errors import Cancelled

log = structlog.get_logger()

T = TypeVar("T")
_REMEMBERED = 10_000


class Stops:
    """Knows what was stopped while this process lived, and stops the work on it."""

    def __init__(self) -> None:
        self._stopped: OrderedDict[Hashable, None] = OrderedDict()
        self._working: dict[asyncio.Task[Any], tuple[Envelope, Stage]] = {}

    def knows(self, envelope: Envelope, stage: Stage) -> bool:
        """Whether the work of `stage` on this event is no longer wanted."""
        video_id, chain = envelope.data.video_id, envelope.correlationid
        return any(name in self._stopped for name in (video_id, (video_id, chain, None), (video_id, chain, stage)))

    async def deleted(self, envelope: Envelope) -> None:
        """A video was deleted: nothing of it is ever worked on again."""
        self._stop(envelope.data.video_id, [envelope.data.video_id], "the video was deleted")

    async def ordered(self, order: StopOrder) -> None:
        """An operator ended some work."""
        names = [(order.video_id, chain, order.stage) for chain in order.chains]
        self._stop(order.video_id, names, "an operator ended it")

    def _stop(self, video_id: VideoId, names: Iterable[Hashable], reason: str) -> None:
        for name in names:
            self._stopped[name] = None
        while len(self._stopped) > _REMEMBERED:
            self._stopped.popitem(last=False)
        for task, (envelope, stage) in self._working.items():
            if envelope.data.video_id == video_id and self.knows(envelope, stage):
                log.info("work_cancelled", video_id=str(video_id), stage=stage, reason=reason)
                task.cancel()

    async def unless_stopped(self, envelope: Envelope, stage: Stage, work: Coroutine[Any, Any, T]) -> T:
        """Do the work; `Cancelled` as soon as it is no longer wanted, with the work stopped and cleaned up."""
        if self.knows(envelope, stage):
            work.close()
            raise Cancelled("The work is no longer wanted.")
        task = asyncio.create_task(work)
        self._working[task] = envelope, stage
        try:
            return await task
        except asyncio.CancelledError:
            us = asyncio.current_task()
            if self.knows(envelope, stage) and (us is None or not us.cancelling()):
                raise Cancelled("The work is no longer wanted.") from None
            raise
        finally:
            del self._working[task]
