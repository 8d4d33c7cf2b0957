"""What must stop because its video is gone."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Coroutine
from typing import Any, TypeVar

import structlog

from clipstream.common.contracts.envelope import Envelope
from clipstream.common.contracts.ids import VideoId
from clipstream.common.errors import Cancelled

log = structlog.get_logger()

T = TypeVar("T")
_REMEMBERED = 10_000


class Deletions:
    """Knows which videos were deleted while this process lived, and stops work on them."""

    def __init__(self) -> None:
        self._deleted: OrderedDict[VideoId, None] = OrderedDict()
        self._working: dict[VideoId, set[asyncio.Task[Any]]] = {}

    def knows(self, video_id: VideoId) -> bool:
        return video_id in self._deleted

    async def heard(self, envelope: Envelope) -> None:
        """A video was deleted: cancel the work on it."""
        video_id = envelope.data.video_id
        self._deleted[video_id] = None
        while len(self._deleted) > _REMEMBERED:
            self._deleted.popitem(last=False)
        for task in self._working.get(video_id, ()):
            log.info("work_cancelled", video_id=str(video_id), reason="the video was deleted")
            task.cancel()

    async def unless_deleted(self, video_id: VideoId, work: Coroutine[Any, Any, T]) -> T:
        """Do the work; `Cancelled` as soon as the video is deleted, with the work stopped and cleaned up."""
        if video_id in self._deleted:
            work.close()
            raise Cancelled("The video was deleted.")
        task = asyncio.create_task(work)
        tasks = self._working.setdefault(video_id, set())
        tasks.add(task)
        try:
            return await task
        except asyncio.CancelledError:
            us = asyncio.current_task()
            if video_id in self._deleted and (us is None or not us.cancelling()):
                raise Cancelled("The video was deleted.") from None
            raise
        finally:
            tasks.discard(task)
            if not tasks:
                self._working.pop(video_id, None)
