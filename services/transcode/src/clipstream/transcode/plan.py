"""What to make of a source: its renditions, its frame rate, its parts, and the name of the whole. Pure numbers."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from clipstream.common.contracts.documents import Probe
from clipstream.common.contracts.keys import ObjectKey
from clipstream.common.contracts.media import VideoTrack
from clipstream.transcode.chunking import SEGMENT_S, chunks
from clipstream.transcode.made import SourceCopy
from clipstream.transcode.pictures.hover import preview_size, preview_starts
from clipstream.transcode.pictures.storyboard import tile_interval_s, tile_size
from clipstream.transcode.planned import SOFTWARE, SOUND_LEADS_S, Plan, Rendition

MAX_RATE = 60
_MAX_SANE_RATE = 480
CRF = 23

FORMAT = 2
"""Raised whenever the same settings begin to give another output, so that old and new segments never share a prefix."""

_REACH = 0.95
"""A source that nearly reaches a rung (1918x1078) gets that rung at its own size rather than the one below."""

_COMMON_RATES = tuple(
    Fraction(rate)
    for rate in ("12", "15", "24000/1001", "24", "25", "30000/1001", "30", "48", "50", "60000/1001", "60")
)


@dataclass(frozen=True, slots=True)
class Recipe:
    """What to make of any source. `ladder` holds the short sides of its renditions in pixels."""

    ladder: tuple[int, ...]
    preset: str
    max_duration_s: float
    encoder: str = SOFTWARE
    chunk_s: float = 15.0


def plan_clip(
    probe: Probe, source: SourceCopy, recipe: Recipe, *, key: ObjectKey, etag: str, copy_id: str = ""
) -> Plan:
    """The plan for one source, of which `source` is the copy, if there can be one, below `segments/{copy_id}/`."""
    media, origin_s = probe.media, origin(probe)
    made = Plan(
        plan_id=plan_id(recipe, etag, source),
        source_key=key,
        media=media,
        origin_s=origin_s,
        duration_s=media.duration_s,
        max_duration_s=recipe.max_duration_s,
        rate=(1, 1),
        preset=recipe.preset,
        encoder=recipe.encoder,
        source=source,
        source_prefix=f"segments/{copy_id}/",
        sound=bool(media.audio),
        segment_s=SEGMENT_S,
    )
    if media.video is None:
        return made
    rate, (width, height) = output_rate(media.video), shown_size(media.video)
    rungs = renditions(width, height, recipe.ladder)
    top = None
    if source.ladder:
        top = next(
            (rung.name for rung in rungs if (rung.width, rung.height) == (width, height)), f"{min(width, height)}p"
        )
        rungs = tuple(rung for rung in rungs if rung.name != top)
    return made.model_copy(
        update={
            "rate": (rate.numerator, rate.denominator),
            "renditions": rungs,
            "top": top,
            "chunks": chunks(_keys_s(probe), origin_s, rate, media, source, recipe.chunk_s),
            "tiles_every_s": tile_interval_s(media.duration_s),
            "tile": tile_size(width, height),
            "preview_at_s": preview_starts(media.duration_s),
            "preview": preview_size(width, height),
        }
    )


def plan_id(recipe: Recipe, source_etag: str, source: SourceCopy) -> str:
    """The name of this recipe applied to this source: everything that makes the output another one goes in."""
    made = [FORMAT, sorted(recipe.ladder), recipe.preset, recipe.encoder, CRF, SEGMENT_S, recipe.chunk_s]
    made += [source_etag.strip('"'), source.ladder]
    return hashlib.sha256(json.dumps(made).encode()).hexdigest()[:12]


def in_software(plan: Plan) -> Plan:
    """The same plan for x264, under a name of its own: segments of two encoders do not share an initialisation."""
    name = hashlib.sha256(f"{plan.plan_id} {SOFTWARE}".encode()).hexdigest()[:12]
    return plan.model_copy(update={"plan_id": name, "encoder": SOFTWARE})


def origin(probe: Probe) -> float:
    """Where the clip begins on the source's own clock: with its first picture, or with sound that leads by more than a
    moment."""
    leads_s = -min((track.start_s for track in probe.media.audio), default=0.0)
    if probe.media.video is None or leads_s > SOUND_LEADS_S:
        return probe.start_s
    return probe.start_s + max(0.0, leads_s)


def renditions(width: int, height: int, ladder: Sequence[int]) -> tuple[Rendition, ...]:
    """The rungs of `ladder` (short sides in pixels) that do not exceed a source shown as `width` x `height`, high to low.

    Each fits a 16:9 box (9:16 for portrait) of its rung. A source below the lowest rung keeps its own size as the one
    rendition, named after its own short side.
    """
    short, long = min(width, height), max(width, height)
    fitting = [rung for rung in sorted(ladder, reverse=True) if _scale(short, long, rung) * _REACH <= 1]
    if not fitting:
        return (_rendition(f"{_even(short)}p", width, height, 1.0),)
    return tuple(_rendition(f"{rung}p", width, height, min(1.0, _scale(short, long, rung))) for rung in fitting)


def shown_size(video: VideoTrack) -> tuple[int, int]:
    """Width and height as a viewer sees them, upright, in square pixels."""
    aspect = video.pixel_aspect if 1 / 8 <= video.pixel_aspect <= 8 else 1.0
    if video.rotation in (90, 270):
        return video.width, max(1, round(video.height * aspect))
    return max(1, round(video.width * aspect)), video.height


def output_rate(video: VideoTrack) -> Fraction:
    """The constant rate to encode at: the source's own, snapped to the nearest common one, at most 60 a second. Interlaced
    pictures are two moments each, where that gives no more than 60."""
    rate = source_rate(video) * (2 if doubles_rate(video) else 1)
    nearest = min(_COMMON_RATES, key=lambda common: abs(common - rate))
    if abs(nearest - rate) <= rate / 200:
        rate = nearest
    return max(Fraction(1), min(rate, Fraction(MAX_RATE)).limit_denominator(1001))


def doubles_rate(video: VideoTrack) -> bool:
    """Whether each of a source's interlaced pictures becomes two."""
    return video.interlaced and video.frame_rate <= MAX_RATE / 2 + 0.5


def source_rate(video: VideoTrack) -> Fraction:
    """Pictures a second, as the source says, within what can be."""
    rate = Fraction(video.frame_rate).limit_denominator(100_000)
    return rate if 0 < rate <= _MAX_SANE_RATE else Fraction(30)


def _keys_s(probe: Probe) -> list[float]:
    return [float(ticks * Fraction(*probe.time_base)) for ticks in probe.keyframes]


def _scale(short: int, long: int, rung: int) -> float:
    return min(rung / short, math.ceil(rung * 16 / 9 / 2) * 2 / long)


def _rendition(name: str, width: int, height: int, scale: float) -> Rendition:
    shown = min(_even(width), round(width * scale / 2) * 2), min(_even(height), round(height * scale / 2) * 2)
    shown = max(2, shown[0]), max(2, shown[1])
    return Rendition(name=name, width=shown[0], height=shown[1], max_bit_rate=_cap(*shown))


def _even(size: int) -> int:
    """H.264 in 4:2:0 has only even sizes."""
    return max(2, size // 2 * 2)


def _cap(width: int, height: int) -> int:
    """About 8 Mbit/s at 1080p, 4.5 at 720p, 2.5 at 480p: fewer pixels need more bits each."""
    share = width * height / (1920 * 1080)
    return max(200_000, round(8_000_000 * math.pow(share, 0.72)))
