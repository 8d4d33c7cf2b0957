"""Joins deduplication to events and object keys. Hashing happens in processor.py, in a caged child."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from clipstream.common.contracts.events import ClipDuplicate, ClipIngested, ClipUnique, Event
from clipstream.common.stage.context import Limits, StageContext
from clipstream.common.stage.spec import StageSpec
from clipstream.dedupe.processor import fingerprint
from clipstream.dedupe.repository import Copy, Deleted, Repository, Verdict

LIMITS = Limits(wall=timedelta(minutes=15), cpu=timedelta(minutes=10), memory_bytes=2 << 30, file_bytes=1 << 20)


def build(repository: Repository, *, slots: int = 1) -> StageSpec[ClipIngested]:
    """The stage that says whether a clip is new in its stream."""

    async def handle(event: ClipIngested, context: StageContext) -> Sequence[Event]:
        verdict: Verdict | None = None
        if event.content_hash is not None:  # then a copy of the same bytes needs no look at the file
            verdict = await repository.decide(event.stream_id, event.video_id, event.content_hash, None)
        if verdict is None:
            prints = await context.isolate(
                fingerprint, source=event.key, limits=LIMITS, content_hash=event.content_hash
            )
            verdict = await repository.decide(event.stream_id, event.video_id, prints.content_hash, prints.packet_hash)
        return _answer(event, verdict)

    return StageSpec(
        name="dedupe", consumes=ClipIngested, emits=(ClipUnique, ClipDuplicate), handler=handle, slots=slots
    )


def _answer(event: ClipIngested, verdict: Verdict | None) -> Sequence[Event]:
    if verdict is None or isinstance(verdict, Deleted):
        return []
    if isinstance(verdict, Copy):
        return [
            ClipDuplicate(
                video_id=event.video_id,
                stream_id=event.stream_id,
                original_id=verdict.original_id,
                kind=verdict.kind,
            )
        ]
    return [
        ClipUnique(
            video_id=event.video_id,
            stream_id=event.stream_id,
            key=event.key,
            etag=event.etag,
            media=event.media,
            probe_key=event.probe_key,
            content_hash=verdict.content_hash,
            packet_hash=verdict.packet_hash,
        )
    ]
