"""Transient progress: at once to whoever watches, once a second to the database as heartbeat and fraction.

Lost progress costs nothing: the next sign of life comes within fifteen seconds, and the projector never depends on it.
Of a stage that works in parts the whole is told, as the database adds it up. Between its parts it waits like any other:
they stand in queues, behind those of other clips, and nobody is at them.
"""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from uuid import UUID

import structlog
from asyncpg import Pool

from clipstream.common.bus.port import Bus
from clipstream.common.contracts.events import ClipProgress
from clipstream.common.db.errors import map_database_errors
from clipstream.common.errors import Transient
from clipstream.gateway.clip import LANES
from clipstream.gateway.feed import Feed
from clipstream.gateway.repository import stages
from clipstream.gateway.repository.stages import Heard

FLUSH_S = 1.0
BATCH = 500

log = structlog.get_logger(__name__)


class Progress:
    """Hears every stage's signs of life."""

    def __init__(self, pool: Pool, feed: Feed, *, running: timedelta, retrying: timedelta, queued: timedelta) -> None:
        self._pool = pool
        self._feed = feed
        self._running = running
        self._retrying = retrying
        self._queued = queued
        self._pending: dict[tuple[UUID, str, int], ClipProgress] = {}
        self._listening_since: float | None = None

    def listening_for_s(self) -> float:
        """Since when silence means something: before that, it is we who did not listen."""
        return 0.0 if self._listening_since is None else time.monotonic() - self._listening_since

    async def listen(self, bus: Bus) -> None:
        await bus.consume_progress(self.hear)
        self._listening_since = time.monotonic()

    async def hear(self, event: ClipProgress) -> None:
        self._pending[event.video_id, event.stage, event.part] = event
        if event.parts == 1 and not _planned(event):
            self._feed.progress(event)

    async def run(self) -> None:
        """Write what was heard, once a second. While the database is away, what was heard stays, the newest of each."""
        while True:
            await asyncio.sleep(FLUSH_S)
            try:
                await self.flush()
            except Transient as error:
                self._listening_since = time.monotonic()  # heartbeats are late through our fault; judge nobody yet
                log.warning("heartbeats_not_written", reason=str(error))

    async def flush(self) -> None:
        batch = dict(list(self._pending.items())[:BATCH])
        if not batch:
            return
        told = [event for _, event in sorted(batch.items())]
        with map_database_errors():
            whole = [_sign(event) for event in told if event.parts == 1 and not _planned(event)]
            if whole:
                await stages.heard(self._pool, whole, retrying=self._retrying, running=self._running)
            for event in filter(_planned, told):
                await stages.rested(self._pool, event.video_id, event.stage, lease=self._queued)
            for event in sorted((event for event in told if event.parts > 1), key=_ended, reverse=True):
                await self._heard_part(event)
        for key, event in batch.items():
            if self._pending.get(key) is event:
                del self._pending[key]

    async def _heard_part(self, event: ClipProgress) -> None:
        if event.state == "retrying":
            state, lease = "queued", self._retrying
        elif _ended(event):
            state, lease = "queued", self._queued
        else:
            state, lease = "running", self._running
        progress = await stages.heard_part(
            self._pool, _sign(event), part=event.part, parts=event.parts, state=state, lease=lease
        )
        if progress is not None:
            self._feed.progress(event.model_copy(update={"fraction": progress}))


def _sign(event: ClipProgress) -> Heard:
    return Heard(event.video_id, event.stage, event.state, event.fraction, event.attempt, _clean(event.note))


def _ended(event: ClipProgress) -> bool:
    """A job's last sign, where it ended well."""
    return event.state == "running" and event.fraction >= 1.0


def _planned(event: ClipProgress) -> bool:
    """The end of a job that only said what the parts are."""
    return event.parts == 1 and event.stage in LANES and _ended(event)


def _clean(note: str | None) -> str | None:
    """A note comes from another process: PostgreSQL holds no NUL, and nobody reads a novel here."""
    return None if note is None else note.replace("\0", "")[:1000]
