"""Puts the parts of a plan together: exactly one of them does, whichever end last and however often they are told."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

from clipstream.common.contracts.events import Rendition
from clipstream.common.contracts.ids import RunId, VideoId
from clipstream.common.errors import Conflict, NotFound, Permanent
from clipstream.common.stage.context import StageContext
from clipstream.common.store.objects import ObjectStore
from clipstream.transcode.made import PartMade, Track
from clipstream.transcode.manifests.bandwidth import measured
from clipstream.transcode.manifests.placed import Placed
from clipstream.transcode.pictures import hover, sprite
from clipstream.transcode.planned import SOUND, Plan
from clipstream.transcode.publishing.assembled import (
    PREVIEW,
    STORYBOARD,
    Assembled,
    claim_key,
    part_key,
    read,
)
from clipstream.transcode.publishing.publish import publish, put
from clipstream.transcode.publishing.stitch import stitched

DAMAGED_SHARE = 0.5
"""A clip of which more than this cannot be decoded cleanly is not worth playing."""

SOUND_PADDING_S = 0.1
"""Sound that lasts longer than the pictures by less than this is padded, not longer."""

_RAW_LIMIT = 64 << 20


async def assemble(
    context: StageContext, video_id: VideoId, plan: Plan, parts: Mapping[int, PartMade], finisher: int
) -> Assembled | None:
    """The output, written and ready to be played; None where another part has put it together, or is about to.

    Raises `Permanent` where nothing, or too little, of the clip could be decoded."""
    store = context.store
    output = await read(store, claim_key(video_id, plan.plan_id))
    if output is None:
        output = await _put_together(context, video_id, plan, parts, finisher)
    if output.finisher != finisher:
        return None
    await publish(store, video_id, output)
    await _forget_raw(store, video_id, plan, parts)
    return output


async def _put_together(
    context: StageContext, video_id: VideoId, plan: Plan, parts: Mapping[int, PartMade], finisher: int
) -> Assembled:
    """The output that won. Whoever won may have removed the raw pictures before we came to them."""
    store = context.store
    try:
        pictures = await _draw(context, video_id, plan, parts)
    except NotFound:
        if (won := await read(store, claim_key(video_id, plan.plan_id))) is None:
            raise
        return won
    output = joined(plan, parts, context.run_id, finisher, extra_bytes=sum(map(len, pictures.values())))
    await asyncio.gather(*(put(store, video_id, name, body) for name, body in pictures.items()))
    return await _claim(store, video_id, output)


def joined(
    plan: Plan, parts: Mapping[int, PartMade], run_id: RunId, finisher: int, *, extra_bytes: int = 0
) -> Assembled:
    """The parts of a clip as one output. `extra_bytes` is what lies beside the tracks."""
    pictures, damaged = sum(part.pictures for part in parts.values()), sum(part.damaged for part in parts.values())
    if damaged > DAMAGED_SHARE * pictures:
        raise Permanent(f"This clip is damaged: {damaged} of its {pictures} pictures cannot be decoded cleanly.")
    videos = _videos(plan, stitched([parts[number] for number in sorted(parts) if number != SOUND]), damaged)
    audios = tuple(Placed(track, _prefix(plan.plan_id)) for track in parts[SOUND].tracks)
    if plan.media.video is not None and not videos:
        raise Permanent("Not one picture of this clip could be decoded.")
    if not videos and not audios:
        raise Permanent("Not one second of this recording could be decoded.")
    tracks = [placed.track for placed in (*videos, *audios)]
    return Assembled(
        plan_id=plan.plan_id,
        run_id=run_id,
        finisher=finisher,
        duration_s=_duration_s(videos, audios),
        videos=videos,
        audios=audios,
        renditions=tuple(_rendition(placed, audios) for placed in videos),
        stored_bytes=sum(segment.size_bytes for track in tracks for segment in track.segments) + extra_bytes,
        pictures=pictures,
        damaged=damaged,
    )


def _videos(plan: Plan, tracks: tuple[Track, ...], damaged: int) -> tuple[Placed, ...]:
    """Largest first, the copied source on top where it is one of them. A damaged source, over which some browsers stop, is
    only shown where nothing else was made."""
    made = tuple(Placed(track, _prefix(plan.plan_id)) for track in tracks)
    if plan.top is None or plan.source.video is None or (damaged and made):
        return made
    return (Placed(plan.source.video.model_copy(update={"name": plan.top}), plan.source_prefix), *made)


def _duration_s(videos: tuple[Placed, ...], audios: tuple[Placed, ...]) -> float:
    """How long a player plays. The padding of the sound's last frame is nothing to be heard."""
    longest = max(placed.track.duration_s for placed in (*videos, *audios))
    shown = max((placed.track.duration_s for placed in videos), default=longest)
    return shown if longest - shown < SOUND_PADDING_S else longest


def _rendition(placed: Placed, audios: tuple[Placed, ...]) -> Rendition:
    track, rate = placed.track, measured(placed.track, [each.track for each in audios])
    return Rendition(
        name=track.name,
        width=track.width,
        height=track.height,
        bandwidth=rate.peak,
        average_bandwidth=rate.average,
    )


async def _draw(
    context: StageContext, video_id: VideoId, plan: Plan, parts: Mapping[int, PartMade]
) -> dict[str, bytes]:
    """The storyboard and the hover preview, of what the chunks set aside for them."""
    if plan.media.video is None:
        return {}
    tiles, frames = await asyncio.gather(
        _raw(context.store, video_id, plan, {number: part.tiles_file for number, part in parts.items()}),
        _raw(context.store, video_id, plan, {number: part.preview_file for number, part in parts.items()}),
    )
    (tiles_jpeg, cues), preview = await asyncio.gather(
        context.thread(sprite.compose, tiles, plan), context.thread(hover.compose_preview, frames, plan)
    )
    return {sprite.FILE: tiles_jpeg, STORYBOARD: cues.encode(), PREVIEW: preview}


async def _raw(store: ObjectStore, video_id: VideoId, plan: Plan, files: Mapping[int, Path | None]) -> dict[int, bytes]:
    there = {number: file for number, file in files.items() if file is not None}
    bodies = await asyncio.gather(
        *(store.get(part_key(video_id, plan.plan_id, str(file)), limit=_RAW_LIMIT) for file in there.values())
    )
    return dict(zip(there, bodies, strict=True))


async def _forget_raw(store: ObjectStore, video_id: VideoId, plan: Plan, parts: Mapping[int, PartMade]) -> None:
    """What storyboard and preview were made of is larger than either by far."""
    for part in parts.values():
        for file in (part.tiles_file, part.preview_file):
            if file is not None:
                await store.delete(part_key(video_id, plan.plan_id, str(file)))


async def _claim(store: ObjectStore, video_id: VideoId, output: Assembled) -> Assembled:
    """The output that won: this one, or that of whoever was faster."""
    key = claim_key(video_id, output.plan_id)
    try:
        await store.put(key, output.model_dump_json().encode(), content_type="application/json", if_absent=True)
    except Conflict:
        return await read(store, key) or output
    return output


def _prefix(plan_id: str) -> str:
    """As playlists see it, which lie beside `segments/`."""
    return f"segments/{plan_id}/"
