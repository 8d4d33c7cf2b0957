"""Plans that say as much as storyboards and previews need."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from clipstream.common.contracts.keys import ObjectKey
from clipstream.common.contracts.media import MediaInfo, VideoTrack
from clipstream.transcode.made import SourceCopy
from clipstream.transcode.pictures.hover import preview_size, preview_starts
from clipstream.transcode.pictures.storyboard import tile_interval_s, tile_size
from clipstream.transcode.planned import ChunkPlan, Plan


def plan_of(
    duration_s: float,
    *,
    rate: tuple[int, int] = (30, 1),
    starts: Sequence[int] = (0,),
    video: VideoTrack | None = None,
    tile: tuple[int, int] | None = None,
    preview: tuple[int, int] | None = None,
) -> Plan:
    """`starts` are the first slots of its chunks."""
    video = video or VideoTrack(index=0, codec="h264", pixel_format="yuv420p", width=320, height=180, frame_rate=30)
    chunks = tuple(
        ChunkPlan(
            number=number,
            from_s=0.0,
            first_slot=first,
            end_slot=end,
            gops=(first,),
            segments=(0,),
            first_segment=number - 1,
        )
        for number, (first, end) in enumerate(pairwise([*starts, None]), start=1)
        if first is not None
    )
    return Plan(
        source_key=ObjectKey("raw-uploads/source"),
        plan_id="0123456789ab",
        media=MediaInfo(container="mp4", duration_s=duration_s, size_bytes=1, bit_rate=1, video=video),
        origin_s=0.0,
        duration_s=duration_s,
        max_duration_s=3600.0,
        rate=rate,
        preset="superfast",
        source=SourceCopy(verdict="Not copied."),
        chunks=chunks,
        tiles_every_s=tile_interval_s(duration_s),
        tile=tile or tile_size(video.width, video.height),
        preview_at_s=preview_starts(duration_s),
        preview=preview or preview_size(video.width, video.height),
    )
