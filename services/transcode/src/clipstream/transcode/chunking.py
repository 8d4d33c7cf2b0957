"""Cuts a clip into chunks of whole source GOPs, and each chunk into output GOPs and segments. Pure numbers.

A cut is only ever made at a key picture of the source: a worker then decodes no picture that is not its own. A source with
few of them gets fewer chunks, one without gets one.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from fractions import Fraction

from clipstream.common.contracts.media import MediaInfo
from clipstream.transcode.made import SourceCopy, Track
from clipstream.transcode.planned import ChunkPlan

GOP_S = 2
SEGMENT_GOPS = 2
SEGMENT_S = float(GOP_S * SEGMENT_GOPS)
WHOLE_CHUNKS = 2
"""A clip up to as long as this many chunks is not worth several workers."""

FIRST_S = 6.0
"""How much of a clip that cannot be copied is made first, so that its beginning can be played early."""

_SHORTEST_GOP_S = 1.5
_ROUNDING = 0.4
"""Below one half: at twice the rate every second frame lies just between two slots, and must not fall now here, now there."""

_SEEKABLE = ("mov", "matroska")
"""Containers that can be entered in the middle: their frames have times of their own wherever one begins."""


def slot_of(time_s: float, rate: Fraction) -> int:
    """The slot that a picture at `time_s` after the clip's beginning falls into."""
    return math.floor(time_s * rate.numerator / rate.denominator + _ROUNDING)


def gop_frames(rate: Fraction) -> int:
    """Pictures in one closed GOP of about two seconds."""
    return max(1, round(rate * GOP_S))


def chunks(
    keys_s: Sequence[float], origin_s: float, rate: Fraction, media: MediaInfo, source: SourceCopy, chunk_s: float
) -> tuple[ChunkPlan, ...]:
    """The chunks of a clip with key pictures at `keys_s` on its own clock. With a copy that is part of the ladder, GOPs and
    segments follow the copy's."""
    last_slot = max(1, slot_of(media.duration_s, rate))
    if source.ladder and source.video is not None:
        return _beside(source.video, origin_s, rate, media.duration_s, chunk_s)
    seekable = any(name in media.container for name in _SEEKABLE)
    first_s = chunk_s if source.video is not None else min(FIRST_S, chunk_s)
    cuts = _cuts([key - origin_s for key in keys_s], media.duration_s, first_s, chunk_s) if seekable else []
    starts = [0, *(slot_of(cut, rate) for cut in cuts)]
    planned: list[ChunkPlan] = []
    first_segment = 0
    for number, start in enumerate(starts):
        end = starts[number + 1] if number + 1 < len(starts) else None
        gops = _even_gops(start, end, last_slot, gop_frames(rate))
        segments = tuple(range(0, len(gops), SEGMENT_GOPS))
        planned.append(
            ChunkPlan(
                number=number + 1,
                from_s=origin_s + cuts[number - 1] if number else origin_s,
                first_slot=start,
                end_slot=end,
                gops=gops,
                segments=segments,
                first_segment=first_segment,
            )
        )
        first_segment += len(segments)
    return tuple(planned)


def _cuts(keys_s: Sequence[float], duration_s: float, first_s: float, chunk_s: float) -> list[float]:
    """Where chunks after the first begin, at key pictures, in seconds from the clip's beginning."""
    short = duration_s <= WHOLE_CHUNKS * chunk_s
    if short and (first_s >= chunk_s or duration_s <= 2 * first_s):
        return []
    keys, cuts = sorted(key for key in keys_s if key > 0), list[float]()
    wanted = first_s
    while True:
        due = (cuts[-1] if cuts else 0.0) + wanted
        near = keys[bisect_left(keys, due - wanted / 4) :]
        cut = min(near, key=lambda key: abs(key - due), default=duration_s)
        if duration_s - cut < wanted / 2:
            return cuts
        cuts.append(cut)
        if short:
            return cuts
        wanted = chunk_s


def _even_gops(start: int, end: int | None, last_slot: int, gop: int) -> tuple[int, ...]:
    """Slots at which GOPs begin: in a chunk with an end of nearly equal length, so that none is a stump."""
    if end is None:
        return tuple(range(start, max(start + 1, last_slot), gop))
    count = max(1, round((end - start) / gop))
    return tuple(start + round(number * (end - start) / count) for number in range(count))


def _beside(video: Track, origin_s: float, rate: Fraction, duration_s: float, chunk_s: float) -> tuple[ChunkPlan, ...]:
    """Chunks, GOPs and segments that switch where the copied source does."""
    starts = [video.seconds(segment.start) for segment in video.segments]
    firsts = [0]  # numbers of the segments that chunks begin with
    if duration_s > WHOLE_CHUNKS * chunk_s:
        for number, start in enumerate(starts):
            if start - starts[firsts[-1]] >= chunk_s - SEGMENT_S / 2 and duration_s - start >= chunk_s / 2:
                firsts.append(number)
    planned: list[ChunkPlan] = []
    for index, first in enumerate(firsts):
        after = firsts[index + 1] if index + 1 < len(firsts) else len(starts)
        gops: list[int] = []
        segments: list[int] = []
        for segment in video.segments[first:after]:
            segments.append(len(gops))
            end = slot_of(video.seconds(segment.start + segment.duration), rate)
            gops += _spaced([slot_of(video.seconds(key.start), rate) for key in segment.keys], end, rate)
        planned.append(
            ChunkPlan(
                number=index + 1,
                from_s=origin_s + starts[first],
                first_slot=gops[0],
                end_slot=slot_of(starts[after], rate) if after < len(starts) else None,
                gops=tuple(gops),
                segments=tuple(segments),
                first_segment=first,
            )
        )
    return tuple(planned)


def _spaced(keys: Sequence[int], end: int, rate: Fraction) -> list[int]:
    """The first of a segment's key pictures, and those that are far enough from the one before and from the segment's end:
    many sources have more of them than a rendition of fewer bits should."""
    kept = [keys[0]]
    for key in keys[1:]:
        if key - kept[-1] >= _SHORTEST_GOP_S * rate and end - key >= _SHORTEST_GOP_S * rate:
            kept.append(key)
    return kept
