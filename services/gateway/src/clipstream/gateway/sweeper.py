"""Nothing waits for ever: stages that fell silent get their event again, uploads are looked after (upload_sweeper.py), and
what never ends is ended in words.

Silence is judged by the database's clock and only after we have listened long enough ourselves. A stage that was running
has cost one attempt; one that was only queued has not, and one that waits for its clip's turn is not silent at all. Several
gateways may sweep at once: rows are claimed by lock.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta

import structlog
from asyncpg import Connection, Pool
from pydantic import ValidationError

from clipstream.common.contracts.envelope import Envelope
from clipstream.common.contracts.events import ClipFailed
from clipstream.common.contracts.ids import EventId, StreamId, VideoId, derived_event_id
from clipstream.common.db import inbox, outbox
from clipstream.common.db.errors import map_database_errors
from clipstream.common.errors import Transient
from clipstream.common.store.objects import ObjectStore
from clipstream.gateway import purging
from clipstream.gateway.dispatcher import Dispatcher
from clipstream.gateway.idempotency import KEPT_FOR
from clipstream.gateway.progress import Progress
from clipstream.gateway.projector import Projector
from clipstream.gateway.repository import deliveries, idempotency, stages, tokens
from clipstream.gateway.repository.stages import Silent
from clipstream.gateway.settings import Settings
from clipstream.gateway.upload_sweeper import UploadSweeper

BATCH = 50
LONGEST_LEASE = timedelta(hours=6)
CLEAN_EVERY = timedelta(hours=1)

log = structlog.get_logger(__name__)


class Sweeper:
    """Repairs by the database's truth, every few seconds."""

    def __init__(
        self,
        pool: Pool,
        store: ObjectStore,
        projector: Projector,
        dispatcher: Dispatcher,
        progress: Progress,
        settings: Settings,
    ) -> None:
        self._pool = pool
        self._store = store
        self._projector = projector
        self._dispatcher = dispatcher
        self._progress = progress
        self._settings = settings
        self._uploads = UploadSweeper(pool, store, projector, settings)

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        clean_at = loop.time()
        while True:
            await asyncio.sleep(self._settings.sweep_interval.total_seconds())
            try:
                await self.sweep()
                if loop.time() >= clean_at:
                    clean_at = loop.time() + CLEAN_EVERY.total_seconds()
                    await self.clean()
            except Transient as error:
                log.warning("sweep_interrupted", reason=str(error))

    async def sweep(self) -> None:
        """One look at everything that may be stuck."""
        with map_database_errors():
            if self._progress.listening_for_s() >= self._settings.stale_after.total_seconds():
                await self.revive_stages()
            await self._uploads.sweep()
            await self._dispatcher.sweep()
            await purging.purge_due(self._pool, self._store)

    async def clean(self) -> None:
        """Forget what can no longer matter."""
        with map_database_errors():
            await tokens.forget_expired(self._pool)
            await inbox.forget_old(self._pool)
            await idempotency.forget_old(self._pool, KEPT_FOR)
            await deliveries.forget_old(self._pool)

    async def revive_stages(self) -> int:
        """Give silent stages their event again; how many were silent."""
        async with self._pool.acquire() as connection, connection.transaction():
            silent = await stages.silent(connection, BATCH, too_old=self._settings.give_up_after)
            for stage in silent:
                await self._revive(connection, stage)
        for stage in silent:
            self._projector.tell(stage.video_id, stage.stream_id)
        return len(silent)

    async def _revive(self, connection: Connection, stage: Silent) -> None:
        attempts = stage.attempts + 1 if stage.state == "running" else max(stage.attempts, 1)
        trigger = _envelope(stage)
        if trigger is None or attempts > self._settings.max_attempts or stage.too_old:
            await outbox.add(connection, self._failure(stage, trigger))
            await stages.resent(
                connection, stage.video_id, stage.stage, attempts=stage.attempts, lease=self._settings.queued_after
            )
            log.warning("stage_given_up", video_id=str(stage.video_id), stage=stage.stage, attempts=stage.attempts)
            return
        lease = min(self._settings.queued_after * 2 ** min(stage.sweeps, 16), LONGEST_LEASE)
        await outbox.add(connection, trigger.model_copy(update={"attempt": attempts}), queue=stage.stage)
        await stages.resent(connection, stage.video_id, stage.stage, attempts=attempts, lease=lease)
        log.warning("stage_revived", video_id=str(stage.video_id), stage=stage.stage, was=stage.state, attempt=attempts)

    def _failure(self, stage: Silent, trigger: Envelope | None) -> Envelope:
        """One failure per event and attempt, so that sweeping twice fails once."""
        why = "nothing was heard of it for too long" if stage.state == "running" else "no worker took it"
        event = ClipFailed(
            video_id=VideoId(stage.video_id),
            stream_id=StreamId(stage.stream_id),
            stage=stage.stage,
            error=stage.error or f"The stage {stage.stage} was given up after {stage.attempts} attempts: {why}.",
            attempts=stage.attempts,
        )
        parent = EventId(stage.video_id) if trigger is None else trigger.id
        event_id = derived_event_id(parent, f"sweeper/{stage.stage}", event.type, stage.attempts)
        made = Envelope.first(event, event_id=event_id, source="gateway")
        if trigger is None:
            return made
        links = {"correlationid": trigger.correlationid, "causationid": trigger.id, "traceparent": trigger.traceparent}
        return made.model_copy(update=links)


def _envelope(stage: Silent) -> Envelope | None:
    """The stage's event; None where this version can no longer read it."""
    try:
        return Envelope.model_validate(stage.trigger)
    except ValidationError as error:
        log.error("trigger_unreadable", video_id=str(stage.video_id), stage=stage.stage, faults=error.error_count())
        return None
