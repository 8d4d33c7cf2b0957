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
from clipstream.transcode.copying import KeptCopy
from clipstream.transcode.made import PartMade, Segment, Track
from clipstream.transcode.planned import SOUND, Plan

MASTER = "master.m3u8"
_PLAYLIST = "application/vnd.apple.mpegurl"

Parts = Callable[[], Awaitable[Mapping[int, PartMade]]]
"""Reads the parts that are done by now, by number."""


async def write_copy(store: ObjectStore, video_id: VideoId, copied: KeptCopy) -> ObjectKey:
    """The source copy as HLS; the key of its master."""
    return await _write(store, video_id, copied.copy_id, copied.made.tracks, whole=True, target=0)


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
            key = await _write(store, video_id, plan.plan_id, tracks, whole=whole, target=_planned_target(plan))


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
    picture = pieces[0].model_copy(update={"segments": tuple(each for piece in pieces for each in piece.segments)})
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
    store: ObjectStore, video_id: VideoId, made: str, tracks: Sequence[Track], *, whole: bool, target: int
) -> ObjectKey:
    for track in tracks:
        text = media_playlist(track, f"../segments/{made}/", whole=whole, target=target)
        await store.put(keys.provisional(video_id, f"{track.name}.m3u8"), text.encode(), content_type=_PLAYLIST)
    master = keys.provisional(video_id, MASTER)
    await store.put(master, master_playlist(tracks).encode(), content_type=_PLAYLIST)
    return master


def media_playlist(track: Track, prefix: str, *, whole: bool, target: int = 0) -> str:
    """One track (RFC 8216bis): complete, or an event that goes on. `target` is the least target duration."""
    lengths = [track.seconds(segment.duration) for segment in track.segments]
    lines = [
        "#EXTM3U",
        "#EXT-X-VERSION:7",
        f"#EXT-X-TARGETDURATION:{max(1, target, *(math.floor(length + 0.5) for length in lengths))}",
        "#EXT-X-MEDIA-SEQUENCE:0",
        f"#EXT-X-PLAYLIST-TYPE:{'VOD' if whole and not target else 'EVENT'}",
        "#EXT-X-INDEPENDENT-SEGMENTS",
        f'#EXT-X-MAP:URI="{prefix}{track.init_file.name}"',
    ]
    for segment, length in zip(track.segments, lengths, strict=True):
        lines += [f"#EXTINF:{length:.6f},", prefix + segment.file.name]
    return "\n".join([*lines, *(["#EXT-X-ENDLIST"] if whole else []), ""])


def master_playlist(tracks: Sequence[Track]) -> str:
    """One variant: the picture with its sound, or either alone."""
    picture = next((track for track in tracks if track.kind == "video"), None)
    sound = next((track for track in tracks if track.kind == "audio"), None)
    lines = ["#EXTM3U", "#EXT-X-VERSION:7", "#EXT-X-INDEPENDENT-SEGMENTS"]
    rates = [_bit_rates(track) for track in tracks]
    variant = (
        f"#EXT-X-STREAM-INF:BANDWIDTH={sum(peak for peak, _ in rates)}"
        f",AVERAGE-BANDWIDTH={sum(average for _, average in rates)}"
        f',CODECS="{",".join(track.codec for track in tracks)}"'
    )
    if picture:
        variant += f",RESOLUTION={picture.width}x{picture.height},FRAME-RATE={picture.frame_rate:.3f}"
        variant += ",CLOSED-CAPTIONS=NONE"
    if picture and sound:
        lines.append(
            f'#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio",NAME="Main",DEFAULT=YES,AUTOSELECT=YES,'
            f'CHANNELS="{sound.channels}",URI="{sound.name}.m3u8"'
        )
        variant += ',AUDIO="audio"'
    shown = picture or sound
    return "\n".join([*lines, variant, f"{shown.name if shown else ''}.m3u8", ""])


def _bit_rates(track: Track) -> tuple[int, int]:
    """(peak, average) bits a second. A segment of less than a second says nothing about the peak."""
    rates = [_bits(track, [segment]) for segment in track.segments if track.seconds(segment.duration) >= 1]
    average = _bits(track, track.segments)
    return max(average, *rates) if rates else average, average


def _bits(track: Track, segments: Sequence[Segment]) -> int:
    seconds = track.seconds(sum(segment.duration for segment in segments))
    return math.ceil(8 * sum(segment.size_bytes for segment in segments) / max(1e-3, seconds))
