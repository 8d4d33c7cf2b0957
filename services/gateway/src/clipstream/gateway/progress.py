"""Transient progress: at once to whoever watches, once a second to the database as heartbeat and fraction.

Lost progress costs nothing: the next sign of life comes within fifteen seconds, and the projector never depends on it.
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
from clipstream.gateway.feed import Feed
from clipstream.gateway.repository import stages
from clipstream.gateway.repository.stages import Heard

FLUSH_S = 1.0
BATCH = 500

log = structlog.get_logger(__name__)


class Progress:
    """Hears every stage's signs of life."""

    def __init__(self, pool: Pool, feed: Feed, *, running: timedelta, retrying: timedelta) -> None:
        self._pool = pool
        self._feed = feed
        self._running = running
        self._retrying = retrying
        self._pending: dict[tuple[UUID, str], ClipProgress] = {}
        self._listening_since: float | None = None

    def listening_for_s(self) -> float:
        """Since when silence means something: before that, it is we who did not listen."""
        return 0.0 if self._listening_since is None else time.monotonic() - self._listening_since

    async def listen(self, bus: Bus) -> None:
        await bus.consume_progress(self.hear)
        self._listening_since = time.monotonic()

    async def hear(self, event: ClipProgress) -> None:
        self._pending[event.video_id, event.stage] = event
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
        signs = [
            Heard(e.video_id, e.stage, e.state, e.fraction, e.attempt, _clean(e.note)) for _, e in sorted(batch.items())
        ]
        with map_database_errors():
            await stages.heard(self._pool, signs, retrying=self._retrying, running=self._running)
        for key, event in batch.items():
            if self._pending.get(key) is event:
                del self._pending[key]


def _clean(note: str | None) -> str | None:
    """A note comes from another process: PostgreSQL holds no NUL, and nobody reads a novel here."""
    return None if note is None else note.replace("\0", "")[:1000]
