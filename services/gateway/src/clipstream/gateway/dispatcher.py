"""Lets clips in, user by user: how many of one user's are worked on at once is bounded, so that one user's hundred clips
never delay another's one. Within a user's, whoever came first goes first.

Whatever may have changed whose turn it is asks here once its own transaction is over. Each clip is let in by a transaction
of its own that takes the user's lock and then the clip's, and no other: so any number of gateways may do this at once, and
nothing can wait for each other. What a dying process leaves undone is done when its event comes again, and by the sweeper.
"""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

import structlog
from asyncpg import Connection, Pool
from pydantic import ValidationError

from clipstream.common.bus.port import Bus
from clipstream.common.bus.topology import PROJECTOR_QUEUE, QUEUES
from clipstream.common.contracts.control import StopOrder
from clipstream.common.contracts.envelope import Envelope
from clipstream.common.contracts.events import (
    ClipDuplicate,
    ClipFailed,
    ClipRejected,
    ClipTranscoded,
    ClipUnique,
)
from clipstream.common.contracts.ids import EventId, VideoId, derived_event_id
from clipstream.common.db import outbox
from clipstream.common.db.errors import map_database_errors
from clipstream.common.db.outbox import Relay
from clipstream.gateway import amendments
from clipstream.gateway.clip import ESSENTIAL, Clip
from clipstream.gateway.projector import Projector
from clipstream.gateway.repository import clips, turns
from clipstream.gateway.webhooks import Standing

TURNING = frozenset(event.type for event in (ClipUnique, ClipDuplicate, ClipRejected, ClipTranscoded, ClipFailed))
SLOTS = 16
UNREADABLE = "What this clip waits with was written by another version and cannot be read. Upload the clip again."

log = structlog.get_logger(__name__)


class Dispatcher:
    """The door between finding out that a clip is new and working on it. `most` of one user's are inside."""

    def __init__(self, pool: Pool, projector: Projector, relay: Relay, bus: Bus, *, most: int) -> None:
        self._pool = pool
        self._projector = projector
        self._relay = relay
        self._bus = bus
        self._most = most

    async def run(self) -> None:
        """Consume every event from now on."""
        await self._bus.consume(PROJECTOR_QUEUE, QUEUES[PROJECTOR_QUEUE], self.handle, slots=SLOTS)

    async def handle(self, envelope: Envelope) -> None:
        """Fold an event in; then stop what is worked on for nobody, and let in whose turn has come by it."""
        clip = await self._projector.handle(envelope)
        event = envelope.data
        if clip is not None and isinstance(event, ClipFailed) and event.stage in ESSENTIAL:
            order = StopOrder(video_id=clip.id, stage=event.stage, chains=(envelope.correlationid,))
            await self._bus.stop(order)
        if envelope.type in TURNING:
            await self.turned(event.video_id)

    async def turned(self, video_id: UUID) -> None:
        """What is to be done with this video may have changed: somebody of its uploader's may be next."""
        with map_database_errors():
            uploader_id = await turns.uploader(self._pool, video_id)
        if uploader_id is not None:
            await self.dispatch([uploader_id])

    async def dispatch(self, uploader_ids: Collection[UUID]) -> int:
        """Let in as many of these users' clips as there is room for; how many."""
        admitted = 0
        with map_database_errors():
            for uploader_id in uploader_ids:
                while await self._admit_one(uploader_id):
                    admitted += 1
        if admitted:
            self._relay.wake()
        return admitted

    async def sweep(self) -> int:
        """Let in whoever waits without need; how many did."""
        with map_database_errors():
            waiting = await turns.with_room(self._pool, self._most)
        return await self.dispatch(waiting)

    async def _admit_one(self, uploader_id: UUID) -> bool:
        async with self._pool.acquire() as connection, connection.transaction():
            await turns.hold(connection, uploader_id)
            video_id = await turns.next_clip(connection, uploader_id, self._most)
            clip = None if video_id is None else await clips.lock(connection, video_id)
            if clip is None:
                return video_id is not None  # deleted just now: look at the next
            if clip.turn == "waits" and not await self._admit(connection, clip):
                return False
        self._projector.tell(clip.id, clip.stream_id)
        return True

    async def _admit(self, connection: Connection, clip: Clip) -> bool:
        """False where it was let in already, which only an error of ours can make."""
        before = Standing.of(clip)
        try:
            admitted, anew = amendments.admit(clip)
        except ValidationError:
            return await self._projector.take(connection, _unreadable(clip)) is not None
        if anew:
            await clips.restart(connection, clip.id, list(anew))
            for stage, envelope in anew.items():
                await outbox.add(connection, envelope, queue=stage)
            await self._projector.keep(connection, clip, before)
        log.info("clip_admitted", video_id=str(clip.id), again=list(anew))
        if admitted is None:
            return bool(anew)
        if await self._projector.take(connection, admitted) is None:
            return False
        await outbox.add(connection, admitted)
        return True


def _unreadable(clip: Clip) -> Envelope:
    event = ClipFailed(
        video_id=VideoId(clip.id), stream_id=clip.stream_id, stage="transcode", error=UNREADABLE, attempts=1
    )
    event_id = derived_event_id(EventId(clip.id), "dispatcher/transcode", event.type)
    return Envelope.first(event, event_id=event_id, source="gateway")
