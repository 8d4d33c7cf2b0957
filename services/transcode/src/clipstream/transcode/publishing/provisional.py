"""What can be played before everything is made: playlists below `provisional/` that name segments stored elsewhere.

The master is written last, so that whoever finds it finds all that it names.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from itertools import pairwise

from clipstream.common.contracts import keys
from clipstream.common.contracts.ids import VideoId
from clipstream.common.contracts.keys import ObjectKey
from clipstream.common.store.objects import ObjectStore
from clipstream.transcode.copying.kept import KeptCopy
from clipstream.transcode.made import PartMade, Track
from clipstream.transcode.manifests.files import HLS
from clipstream.transcode.manifests.hls import (
    iframe_name,
    iframe_playlist,
    master_playlist,
    media_playlist,
    playlist_name,
)
from clipstream.transcode.manifests.placed import Placed
from clipstream.transcode.planned import SOUND, Plan

_PLAYLIST = "application/vnd.apple.mpegurl"

Parts = Callable[[], Awaitable[Mapping[int, PartMade]]]
"""Reads the parts that are done by now, by number."""


async def write_copy(store: ObjectStore, video_id: VideoId, copied: KeptCopy) -> ObjectKey:
    """The source copy as HLS; the key of its master."""
    return await _write(store, video_id, copied.copy_id, copied.made.tracks)


async def write_growing(store: ObjectStore, video_id: VideoId, plan: Plan, parts: Parts) -> ObjectKey | None:
    """The lowest rendition as far as its chunks are done from the beginning on, as an event that grows with them; the key
    of its master, or None while the first chunk or the sound is missing.

    Whoever finishes a part calls this. Two at once may write in any order: who has written looks again, and writes again
    where more is done by then, so that the last word is never an old one.
    """
    key: ObjectKey | None = None
    written: set[int] | None = None
    while True:
        done = await parts()
        if set(done) == written:
            return key
        written = set(done)
        tracks, whole = _so_far(plan, done)
        if tracks:
            key = await _write(store, video_id, plan.plan_id, tracks, whole=whole, target_s=_planned_target(plan))


def _so_far(plan: Plan, done: Mapping[int, PartMade]) -> tuple[list[Track], bool]:
    """The lowest rendition's track over the first chunks without a hole, the sound as long as it, and whether that is all."""
    pieces: list[Track] = []
    for chunk in plan.chunks:
        piece = (
            next((t for t in done[chunk.number].tracks if t.name == plan.lowest), None)
            if chunk.number in done
            else None
        )
        if piece is None:
            break
        pieces.append(piece)
    if not pieces or (plan.sound and SOUND not in done):
        return [], False
    whole = len(pieces) == len(plan.chunks)
    made = [segment.model_copy(update={"keys": ()}) for piece in pieces for segment in piece.segments]
    picture = pieces[0].model_copy(update={"segments": tuple(made)})  # a list of key pictures cannot grow
    heard = [track for track in done[SOUND].tracks if track.kind == "audio"] if plan.sound else []
    sound = next((track for track in heard if track.default), next(iter(heard), None))
    if sound is not None and not whole:
        last = picture.segments[-1]
        sound = _until(sound, picture.seconds(last.start + last.duration))
    return [picture, *([sound] if sound and sound.segments else [])], whole


def _until(track: Track, end_s: float) -> Track:
    early = tuple(segment for segment in track.segments if track.seconds(segment.start) < end_s)
    return track.model_copy(update={"segments": early})


def _planned_target(plan: Plan) -> int:
    """An event's target duration may never change, so it covers segments that nobody has made yet."""
    longest = plan.segment_s
    for chunk in plan.chunks:
        end = chunk.end_slot if chunk.end_slot is not None else round(plan.duration_s * plan.frame_rate)
        starts = [*(chunk.gops[index] for index in chunk.segments), end]
        lengths = [later - earlier for earlier, later in pairwise(starts)]
        longest = max(longest, float(max(lengths, default=0) / plan.frame_rate))
    return math.ceil(longest)


async def _write(
    store: ObjectStore, video_id: VideoId, made: str, tracks: Sequence[Track], *, whole: bool = True, target_s: int = 0
) -> ObjectKey:
    for track in tracks:
        placed = Placed(track, f"../segments/{made}/")
        texts = {playlist_name(track): media_playlist(placed, growing=not whole, target_s=target_s)}
        if any(segment.keys for segment in track.segments):
            texts[iframe_name(track)] = iframe_playlist(placed)
        for name, text in texts.items():
            await store.put(keys.provisional(video_id, name), text.encode(), content_type=_PLAYLIST)
    kinds = {kind: [track for track in tracks if track.kind == kind] for kind in ("video", "audio")}
    master = keys.provisional(video_id, HLS)
    text = master_playlist(kinds["video"], kinds["audio"], captions=None)
    await store.put(master, text.encode(), content_type=_PLAYLIST)
    return master
