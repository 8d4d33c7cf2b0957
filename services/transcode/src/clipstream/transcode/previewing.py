"""The preview stage: a poster at once, and where its source can be played as it is, the clip itself.

Both are made side by side and neither waits for the other (docs/adr/0019).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import structlog

from clipstream.common.contracts import keys
from clipstream.common.contracts.events import ClipIngested, ClipPlayable, ClipPreviewed, Event
from clipstream.common.contracts.keys import ObjectKey
from clipstream.common.errors import Permanent, Transient
from clipstream.common.stage.context import Limits, StageContext
from clipstream.common.stage.spec import StageSpec
from clipstream.transcode.copying.kept import KeptCopy, ensure_copy
from clipstream.transcode.copying.source import copy_source
from clipstream.transcode.made import Poster
from clipstream.transcode.pictures.poster import draw_poster
from clipstream.transcode.publishing.provisional import write_copy

log = structlog.get_logger()

LIMITS = Limits(wall=timedelta(minutes=2), cpu=timedelta(minutes=2), memory_bytes=4 << 30, file_bytes=64 << 20)

TRIES = 2
"""A decoder that died is tried once more; after that the clip goes on with what there is."""


def build(most_bit_rate: int, *, slots: int = 1) -> StageSpec[ClipIngested]:
    """The stage. Sources of up to `most_bit_rate` bits a second may be played as they are."""

    async def handle(event: ClipIngested, context: StageContext) -> Sequence[Event]:
        poster, copied = await asyncio.gather(
            _poster(event, context), _playable(event, context, most_bit_rate), return_exceptions=True
        )
        _check(context, poster, copied)
        if isinstance(poster, BaseException) and (isinstance(copied, BaseException) or not copied[1]):
            raise poster
        return _answers(event, poster, copied)

    return StageSpec(
        name="preview",
        consumes=ClipIngested,
        emits=(ClipPreviewed, ClipPlayable),
        handler=handle,
        slots=slots,
        ready=(draw_poster, copy_source),
    )


Copied = tuple[KeptCopy, ObjectKey | None]
"""The copy, and the master playlist that plays it."""


async def _playable(event: ClipIngested, context: StageContext, most_bit_rate: int) -> Copied:
    copied = await ensure_copy(context, event, most_bit_rate)
    return copied, await write_copy(context.store, event.video_id, copied) if copied.playable else None


async def _poster(event: ClipIngested, context: StageContext) -> ObjectKey:
    made: Poster = await context.isolate(draw_poster, source=event.key, limits=LIMITS, media=event.media)
    named = {"processing": made.processing_file, "duplicate": made.duplicate_file, "": made.plain_file}
    for overlay, file in named.items():
        key = keys.thumbnail(event.video_id, overlay)
        await context.store.put_file(key, context.scratch / file, content_type="image/jpeg")
    return keys.thumbnail(event.video_id)


def _check(context: StageContext, *results: object) -> None:
    """Raise what another attempt may mend, and whatever is no verdict on the clip: an outage, an end of the work."""
    for result in results:
        if not isinstance(result, BaseException) or isinstance(result, Permanent):
            continue
        given_up = type(result) is Transient and context.attempt >= TRIES
        if not given_up:
            raise result


def _answers(event: ClipIngested, poster: ObjectKey | BaseException, copied: Copied | BaseException) -> list[Event]:
    answers: list[Event] = []
    playlist = None
    if isinstance(copied, BaseException):
        verdict = f"The source could not be made playable as it is. {copied}"
        log.warning("source_not_copied", reason=str(copied))
    else:
        verdict, playlist = copied[0].made.verdict, copied[1]
    ids = {"video_id": event.video_id, "stream_id": event.stream_id}
    if isinstance(poster, BaseException):
        log.warning("poster_not_drawn", reason=str(poster))
    else:
        answers.append(ClipPreviewed(**ids, thumbnail_key=poster, copied=playlist is not None, verdict=verdict))
    if playlist is not None:
        answers.append(ClipPlayable(**ids, hls_key=playlist, kind="copy"))
    return answers
