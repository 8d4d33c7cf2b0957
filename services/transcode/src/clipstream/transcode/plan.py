"""What to make of a source: its renditions, its frame rate and the name of the whole recipe. Pure numbers."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

SEGMENT_GOPS = 2
GOP_S = 2
MAX_RATE = 60
_MAX_SANE_RATE = 480
CRF = 23

FORMAT = 1
"""Raised whenever the same settings begin to give another output, so that old and new segments never share a prefix."""

_REACH = 0.95
"""A source that nearly reaches a rung (1918x1078) gets that rung at its own size rather than the one below."""

_COMMON_RATES = tuple(
    Fraction(rate)
    for rate in ("12", "15", "24000/1001", "24", "25", "30000/1001", "30", "48", "50", "60000/1001", "60")
)


@dataclass(frozen=True, slots=True)
class Recipe:
    """What to make of a source. `ladder` holds the short sides of its renditions in pixels."""

    ladder: tuple[int, ...]
    preset: str
    max_duration_s: float


@dataclass(frozen=True, slots=True)
class Rendition:
    """One quality: even sizes in pixels, `max_bit_rate` in bits a second over any buffer of two seconds."""

    name: str
    width: int
    height: int
    max_bit_rate: int


def plan_id(ladder: Sequence[int], preset: str, source_etag: str) -> str:
    """The name of this recipe applied to this source: everything that makes the output another one goes in."""
    recipe = [FORMAT, sorted(ladder), preset, CRF, GOP_S, SEGMENT_GOPS, source_etag.strip('"')]
    return hashlib.sha256(json.dumps(recipe).encode()).hexdigest()[:12]


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


def _scale(short: int, long: int, rung: int) -> float:
    return min(rung / short, math.ceil(rung * 16 / 9 / 2) * 2 / long)


def _rendition(name: str, width: int, height: int, scale: float) -> Rendition:
    shown = min(_even(width), round(width * scale / 2) * 2), min(_even(height), round(height * scale / 2) * 2)
    shown = max(2, shown[0]), max(2, shown[1])
    return Rendition(name, *shown, max_bit_rate=_cap(*shown))


def _even(size: int) -> int:
    """H.264 in 4:2:0 has only even sizes."""
    return max(2, size // 2 * 2)


def _cap(width: int, height: int) -> int:
    """About 8 Mbit/s at 1080p, 4.5 at 720p, 2.5 at 480p: fewer pixels need more bits each."""
    share = width * height / (1920 * 1080)
    return max(200_000, round(8_000_000 * math.pow(share, 0.72)))


def output_rate(guessed: Fraction | None, average: Fraction | None) -> Fraction:
    """The constant rate to encode at: the source's own, snapped to the nearest common one, at most 60 a second.

    `guessed` is the demuxer's idea of the base rate. Where it is no rate at all (a millisecond clock shows as 1000)
    the average counts.
    """
    rate = next((rate for rate in (guessed, average) if rate and rate <= _MAX_SANE_RATE), Fraction(30))
    nearest = min(_COMMON_RATES, key=lambda common: abs(common - rate))
    if abs(nearest - rate) <= rate / 100:
        rate = nearest
    return max(Fraction(1), min(rate, Fraction(MAX_RATE)).limit_denominator(1001))


def gop_frames(rate: Fraction) -> int:
    """Frames in one closed GOP of about two seconds."""
    return max(1, round(rate * GOP_S))
