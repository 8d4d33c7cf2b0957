"""Folds the stages' events into the read model: inbox, projection and what follows from it in one transaction.

An event of a video that is unknown changes nothing; one of a deleted video has what it may have written purged again.
Commands use the same door (`take`), so that a client reads what it has just done.
"""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import structlog
from asyncpg import Connection, Pool

from clipstream.common.contracts.envelope import Envelope
from clipstream.common.contracts.events import ClipPlayable, ClipPreviewed, ClipReady
from clipstream.common.contracts.ids import EventId, derived_event_id
from clipstream.common.db import inbox, outbox
from clipstream.common.db.errors import map_database_errors
from clipstream.gateway import webhooks
from clipstream.gateway.clip import Clip
from clipstream.gateway.feed import Feed
from clipstream.gateway.projection import fold
from clipstream.gateway.repository import clips, tombstones
from clipstream.gateway.webhooks import Standing

CONSUMER = "projector"

log = structlog.get_logger(__name__)


class Projector:
    """The only writer of what stages told about a clip."""

    def __init__(self, pool: Pool, feed: Feed, *, queued_after: timedelta) -> None:
        self._pool = pool
        self._feed = feed
        self._queued_after = queued_after

    async def handle(self, envelope: Envelope) -> Clip | None:
        """Fold one event in. The clip as it is then, or None where nothing has changed."""
        with map_database_errors():
            async with self._pool.acquire() as connection, connection.transaction():
                clip = await self.take(connection, envelope)
        if clip is not None:
            self.tell(clip.id, clip.stream_id)
        return clip

    async def take(self, connection: Connection, envelope: Envelope) -> Clip | None:
        """Fold one event in, once, inside the caller's transaction. None where it changed nothing."""
        video_id: UUID = envelope.data.video_id
        clip = await clips.lock(connection, video_id)
        if clip is None:  # not remembered: where the scan registers the video later, its events are told again
            await tombstones.disturb(connection, video_id)
            log.info("event_ignored", type=envelope.type, video_id=str(video_id), event_id=str(envelope.id))
            return None
        if not await inbox.first_time(connection, CONSUMER, envelope.id):
            return None
        before = Standing.of(clip)
        fold(clip, envelope)
        await self.keep(connection, clip, before, cause=envelope)
        return clip

    async def keep(
        self, connection: Connection, clip: Clip, before: Standing, *, cause: Envelope | None = None
    ) -> None:
        """Write a changed clip back, and what follows from the change."""
        if clip.status == "ready" and before.status != "ready":
            await outbox.add(connection, _ready(clip, cause))
        wrote = cause is not None and isinstance(cause.data, (ClipPlayable, ClipPreviewed))
        await clips.save(connection, clip, queued_after=self._queued_after, wrote=wrote)
        await webhooks.tell(connection, clip, before)

    def tell(self, video_id: UUID, stream_id: UUID) -> None:
        """Wake whoever watches this clip; called after the commit."""
        self._feed.changed(video_id, stream_id)


def _ready(clip: Clip, cause: Envelope | None) -> Envelope:
    """The same id whichever event completed the join."""
    event = ClipReady(video_id=clip.id, stream_id=clip.stream_id)
    event_id = derived_event_id(EventId(clip.id), "gateway", event.type)
    made = Envelope.first(event, event_id=event_id, source="gateway")
    if cause is None:
        return made
    links = {"correlationid": cause.correlationid, "causationid": cause.id, "traceparent": cause.traceparent}
    return made.model_copy(update=links)
