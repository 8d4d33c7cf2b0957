"""What an operator does about clips: try again, end, do without, let pass. Each is one transaction under the clip's lock, of
rows and outbox events; what works now hears of its end over the bus as soon as that is committed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

import structlog
from asyncpg import Connection, Pool
from pydantic import ValidationError

from clipstream.common.bus.port import Bus
from clipstream.common.contracts.control import StopOrder
from clipstream.common.contracts.envelope import Envelope
from clipstream.common.contracts.events import ClipFailed, Stage
from clipstream.common.contracts.ids import EventId, VideoId, derived_event_id
from clipstream.common.db import outbox
from clipstream.common.db.outbox import Relay
from clipstream.common.errors import ClipstreamError, NotFound
from clipstream.gateway import amendments
from clipstream.gateway.amendments import CANCELLED, OPTIONAL
from clipstream.gateway.clip import ADMITTED, Clip, StageRow
from clipstream.gateway.dispatcher import Dispatcher
from clipstream.gateway.projector import Projector
from clipstream.gateway.repository import clips, queue
from clipstream.gateway.webhooks import Standing

BATCH = 200  # clips that one call retries at most

log = structlog.get_logger(__name__)


class NotPossible(ClipstreamError):
    """This cannot be done to a clip that is where this one is."""


@dataclass(frozen=True, slots=True)
class Job:
    """One stage of one clip."""

    video_id: UUID
    stage: Stage


class Interventions:
    """The operator's hands. Every method may be called twice: the second time changes nothing.

    Raises `NotFound` where there is no such video, `NotPossible` in words where it is not the time for it."""

    def __init__(self, pool: Pool, projector: Projector, dispatcher: Dispatcher, relay: Relay, bus: Bus) -> None:
        self._pool = pool
        self._projector = projector
        self._dispatcher = dispatcher
        self._relay = relay
        self._bus = bus

    async def retry(self, video_id: UUID, stage: Stage | None = None) -> list[Job]:
        """Have a clip's failed stages, or this one, worked on again; which ones are. A cancelled clip comes back as a whole."""
        async with self._clip(video_id) as (connection, clip):
            if clip.status in ("rejected", "duplicate"):
                raise NotPossible(_FINAL[clip.status])
            stages = _wanted(clip, stage)
            if not stages and clip.cancelled is None:
                return []
            before = Standing.of(clip)
            amendments.resume(clip)
            for each in stages:
                await self._try_again(connection, clip, each, held="transcode" in stages and each in ADMITTED)
            await clips.restart(connection, video_id, stages)
            await self._projector.keep(connection, clip, before)
        log.info("stages_retried", video_id=str(video_id), stages=list(stages))
        return [Job(video_id, each) for each in stages]

    async def _try_again(self, connection: Connection, clip: Clip, stage: Stage, *, held: bool) -> None:
        """A clip that is to be transcoded waits for its turn, like those whose turn has never come."""
        try:
            envelope = amendments.retry(clip, stage, datetime.now(UTC), held=held)
        except ValidationError as error:
            raise NotPossible(f"What {stage} works on was written by another version and cannot be read.") from error
        if envelope is not None and not held:
            await outbox.add(connection, envelope, queue=stage)

    async def retry_failed(self, stage: Stage | None = None) -> tuple[list[Job], bool]:
        """Retry this stage, or every failed one, of all clips that can be retried; and whether more of them are left.
        Clips that an operator cancelled stay cancelled."""
        failed = await queue.failed_clips(self._pool, stage, limit=BATCH + 1)
        jobs: list[Job] = []
        for video_id in failed[:BATCH]:
            try:
                jobs += await self.retry(video_id, stage)
            except (NotFound, NotPossible) as error:  # it has moved on since the list was made
                log.info("retry_passed_over", video_id=str(video_id), reason=str(error))
        return jobs, len(failed) > BATCH

    async def cancel(self, video_id: UUID) -> None:
        """End a clip's processing as failed, and the work on it."""
        async with self._clip(video_id) as (connection, clip):
            if clip.cancelled is None:
                _check_unfinished(clip)
                before = Standing.of(clip)
                amendments.cancel(clip)
                await self._projector.keep(connection, clip, before)
        await self._stop(clip)

    async def cancel_stage(self, video_id: UUID, stage: Stage) -> None:
        """End one stage as failed. A clip whose stage was essential has failed then; others do without it."""
        async with self._clip(video_id) as (connection, clip):
            row = clip.stages[stage]
            if row.error != CANCELLED:
                _check_pending(clip, stage)
                envelope = _cancellation(clip, stage, row)
                if await self._projector.take(connection, envelope) is not None:
                    await outbox.add(connection, envelope)
        await self._stop(clip, stage)

    async def skip(self, video_id: UUID, stage: Stage) -> None:
        """Have a clip do without one of its optional parts."""
        if stage not in OPTIONAL:
            raise NotPossible(f"A clip cannot do without {stage}; only {', '.join(OPTIONAL)} can be skipped.")
        async with self._clip(video_id) as (connection, clip):
            if clip.stages[stage].skipped_at is None:
                _check_pending(clip, stage)
                before = Standing.of(clip)
                amendments.skip(clip, stage, datetime.now(UTC))
                await self._projector.keep(connection, clip, before)
        await self._stop(clip, stage)

    async def dismiss(self, video_id: UUID) -> None:
        """Say that a flagged clip is no duplicate: its processing goes on."""
        async with self._clip(video_id) as (connection, clip):
            if clip.dismissed_at is not None:
                return
            if clip.status != "duplicate":
                raise NotPossible("Not a duplicate video")
            before = Standing.of(clip)
            unique = amendments.dismiss(clip, datetime.now(UTC))
            if unique is None:
                raise NotPossible("What is known of this video has not arrived yet. Try again in a moment.")
            await self._projector.keep(connection, clip, before)
            if await self._projector.take(connection, unique) is not None:
                await outbox.add(connection, unique)

    @asynccontextmanager
    async def _clip(self, video_id: UUID) -> AsyncIterator[tuple[Connection, Clip]]:
        """The clip, locked; once the block has ended well, the world hears of the change."""
        async with self._pool.acquire() as connection, connection.transaction():
            clip = await clips.lock(connection, video_id)
            if clip is None:
                raise NotFound("Video not found")
            yield connection, clip
        self._relay.wake()
        self._projector.tell(clip.id, clip.stream_id)
        await self._dispatcher.turned(clip.id)

    async def _stop(self, clip: Clip, stage: Stage | None = None) -> None:
        """All work there is on the clip, or on its stage, hangs on one of the events that its rows hold."""
        chains = {
            EventId(UUID(row.trigger["correlationid"])) for row in clip.stages.values() if row.trigger is not None
        }
        await self._bus.stop(StopOrder(video_id=clip.id, stage=stage, chains=tuple(sorted(chains))))


_FINAL = {
    "rejected": "The file was rejected, and that is final: it has to be uploaded again, in another form.",
    "duplicate": "The video is held to be a duplicate: dismiss that instead.",
    "uploading": "Nothing of this video is worked on: its file has not arrived.",
    "ready": "The video is ready. Name the stage that shall be ended.",
    "failed": "The video has failed already, and nothing of it is worked on.",
}


def _wanted(clip: Clip, stage: Stage | None) -> Sequence[Stage]:
    """Which stages a retry means."""
    able = amendments.retryable(clip)
    if stage is None or clip.cancelled is not None:
        return able
    row = clip.stages[stage]
    if row.failed_at is not None and row.done_at is None and row.trigger is None:
        raise NotPossible(f"What {stage} works on has not arrived yet. Try again in a moment.")
    taken_back = row.skipped_at is not None and row.done_at is None
    return (stage,) if stage in able or taken_back else ()


def _check_unfinished(clip: Clip) -> None:
    pending = any(row.state in ("queued", "running") and row.trigger is not None for row in clip.stages.values())
    if clip.status != "processing" and not (clip.status == "failed" and pending):
        raise NotPossible(_FINAL[clip.status])


def _check_pending(clip: Clip, stage: Stage) -> None:
    if clip.status == "uploading":
        raise NotPossible(_FINAL["uploading"])
    state = clip.stages[stage].state
    if state not in ("queued", "running"):
        raise NotPossible(f"The stage {stage} has ended already: it is {state}.")


def _cancellation(clip: Clip, stage: Stage, row: StageRow) -> Envelope:
    """The stage's failure, in the operator's words."""
    event = ClipFailed(
        video_id=VideoId(clip.id), stream_id=clip.stream_id, stage=stage, error=CANCELLED, attempts=row.attempts
    )
    trigger = row.trigger or {}
    cause = EventId(UUID(trigger.get("id", str(clip.id))))
    event_id = derived_event_id(cause, f"cancel/{stage}", event.type, row.retries)
    made = Envelope.first(event, event_id=event_id, source="gateway")
    if not trigger:
        return made
    return made.model_copy(update={"causationid": cause, "correlationid": UUID(trigger["correlationid"])})
