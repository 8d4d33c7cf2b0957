"""Stage `transcode`, second half: makes one part of a clip, and where it was the last one, puts the whole together.

Everything that a part makes is written once, by whoever is first, under names that the plan has given: a part that is made
again finds the work of the one before, and only adds what is missing (docs/adr/0017).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import structlog

from clipstream.common.contracts import keys
from clipstream.common.contracts.events import ClipPlayable, ClipTranscoded, Event, LongPartPlanned, PartPlanned
from clipstream.common.contracts.ids import VideoId
from clipstream.common.errors import Conflict, EncoderFailed, Transient
from clipstream.common.stage.context import Limits, StageContext
from clipstream.common.stage.spec import Part, StageSpec
from clipstream.common.store.objects import ObjectStore
from clipstream.transcode import planning
from clipstream.transcode.assemble import assemble
from clipstream.transcode.encoding.chunk import encode_chunk
from clipstream.transcode.encoding.encoders import devices, is_to_blame
from clipstream.transcode.made import PartMade
from clipstream.transcode.pictures.hover import preview_slots
from clipstream.transcode.pictures.storyboard import tile_slots
from clipstream.transcode.plan import in_software
from clipstream.transcode.planned import SOFTWARE, SOUND, Plan
from clipstream.transcode.publishing import provisional
from clipstream.transcode.publishing.assembled import part_key, transcoded
from clipstream.transcode.publishing.shelf import SegmentShelf
from clipstream.transcode.sound.part import encode_sound

log = structlog.get_logger()

LIMITS = Limits(wall=timedelta(minutes=100), cpu=timedelta(hours=6), memory_bytes=8 << 30, file_bytes=1 << 30)
STANDS_BACK = 10
"""How nice a child is that works on a long clip: a short one beside it gets most of the machine."""

_DOCUMENT_LIMIT = 16 << 20


def build(*, long: bool, slots: int = 1) -> StageSpec[PartPlanned]:
    """The stage that makes parts of long clips, or of the others."""
    limits = replace(LIMITS, nice=STANDS_BACK if long else 0)

    async def handle(event: PartPlanned, context: StageContext) -> Sequence[Event]:
        store, video_id = context.store, event.video_id
        plan = await planning.find(store, video_id, event.plan)
        if event.part not in await finished(store, video_id, plan):
            try:
                made = await _make(event, plan, context, limits)
            except (EncoderFailed, Transient) as error:
                if not is_to_blame(plan.encoder, error):
                    raise
                log.warning("clip_planned_anew", reason=str(error), encoder=SOFTWARE)
                return planning.parts_of(await planning.keep(store, video_id, in_software(plan)), event)
            await _keep(context, event, plan, made)
        there = await finished(store, video_id, plan)
        playable = await _show_beginning(event, plan, there, context)
        if len(there) < plan.parts:
            return playable
        output = await assemble(context, video_id, plan, await load(store, video_id, plan, there), event.part)
        return [*playable, transcoded(event, output)] if output else playable

    return StageSpec(
        name="transcode",
        queue="transcode.long" if long else "transcode.short",
        consumes=LongPartPlanned if long else PartPlanned,
        emits=(PartPlanned, LongPartPlanned, ClipPlayable, ClipTranscoded),
        handler=handle,
        slots=slots,
        part=lambda event: Part(f"{event.plan}-{event.part}", event.part, event.parts),
    )


async def finished(store: ObjectStore, video_id: VideoId, plan: Plan) -> list[int]:
    """The numbers of the parts that are there, in order."""
    prefix = keys.segments(video_id, plan.plan_id, "parts/")
    names = [Path(item.key) async for item in store.list(prefix)]
    return sorted(int(name.stem) for name in names if name.suffix == ".json")


async def load(store: ObjectStore, video_id: VideoId, plan: Plan, numbers: Sequence[int]) -> dict[int, PartMade]:
    """What those parts made."""

    async def one(number: int) -> PartMade:
        key = part_key(video_id, plan.plan_id, f"{number:05d}.json")
        return PartMade.model_validate_json(await store.get(key, limit=_DOCUMENT_LIMIT))

    return dict(zip(numbers, await asyncio.gather(*map(one, numbers)), strict=True))


async def _make(event: PartPlanned, plan: Plan, context: StageContext, limits: Limits) -> PartMade:
    """Encode the part, its segments on their way to the store as they are made."""
    if event.part == SOUND and not plan.sound:
        return PartMade(tracks=())
    shelf = SegmentShelf(context.store, keys.segments(event.video_id, event.plan))
    source, take = plan.source_key, shelf.take
    if event.part == SOUND:
        made = await context.isolate(encode_sound, source=source, limits=limits, take=take, plan=plan)
    else:
        limits = replace(limits, devices=devices(plan.encoder))
        made = await context.isolate(
            encode_chunk, source=source, limits=limits, take=take, plan=plan, number=event.part
        )
    return made.model_copy(update={"tracks": await shelf.settle(made.tracks)})


async def _keep(context: StageContext, event: PartPlanned, plan: Plan, made: PartMade) -> None:
    """Write down what the part made, its raw pictures first. Where another attempt did so before, that one holds.

    `Transient` where there are more raw pictures than the plan has: whoever puts the clip together holds all of them."""
    stored: dict[str, Path] = {}
    for what, file, slots, size in (
        ("tiles_file", made.tiles_file, tile_slots(plan), plan.tile),
        ("preview_file", made.preview_file, preview_slots(plan), plan.preview),
    ):
        if file is not None:
            if (context.scratch / file).stat().st_size > len(slots) * size[0] * size[1] * 3:
                raise Transient("The encoder made more small pictures than were asked of it.")
            stored[what] = Path(f"{event.part:05d}-{what.partition('_')[0]}.rgb")
            key = part_key(event.video_id, event.plan, str(stored[what]))
            await context.store.put_file(key, context.scratch / file, content_type="application/octet-stream")
    body = made.model_copy(update=stored).model_dump_json().encode()
    key = part_key(event.video_id, event.plan, f"{event.part:05d}.json")
    try:
        await context.store.put(key, body, content_type="application/json", if_absent=True)
    except Conflict:
        return


async def _show_beginning(
    event: PartPlanned, plan: Plan, there: Sequence[int], context: StageContext
) -> Sequence[ClipPlayable]:
    """Where the source itself cannot be played, the lowest rendition as far as it is: sound and every chunk from the first
    on without a gap. Told by whoever made it possible."""
    if plan.source.tracks or plan.lowest is None or not {SOUND, SOUND + 1} <= set(there):
        return []

    async def done() -> dict[int, PartMade]:
        return await load(context.store, event.video_id, plan, await finished(context.store, event.video_id, plan))

    hls_key = await provisional.write_growing(context.store, event.video_id, plan, done)
    if hls_key is None or event.part > SOUND + 1 or len(there) == plan.parts:
        return []
    return [ClipPlayable(video_id=event.video_id, stream_id=event.stream_id, hls_key=hls_key, kind="rendition")]
