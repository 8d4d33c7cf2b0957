"""Bit rates of tracks, measured on their segments: by HLS's definition (RFC 8216bis, 4.4.6.2) and by DASH's (ISO/IEC
23009-1, 5.3.5.2). Exact, and never quadratic in the number of segments.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate, pairwise

from clipstream.transcode.made import Track

_Points = Sequence[tuple[int, int]]
"""(tick, bits until then), both ascending."""


@dataclass(frozen=True, slots=True)
class Rate:
    """Bits a second, rounded up: the peak and the average."""

    peak: int
    average: int


def measured(track: Track, sounds: Iterable[Track] = ()) -> Rate:
    """What a variant takes: the track, and beside it the largest of the sounds that may be played with it."""
    own, beside = track_rate(track), largest(sounds)
    return Rate(own.peak + beside.peak, own.average + beside.average)


def largest(tracks: Iterable[Track]) -> Rate:
    """Of tracks of which one is played at a time."""
    rates = [track_rate(track) for track in tracks]
    return Rate(max((one.peak for one in rates), default=0), max((one.average for one in rates), default=0))


def track_rate(track: Track) -> Rate:
    """One track alone."""
    pieces = [(segment.duration, segment.size_bytes) for segment in track.segments]
    return rate(pieces, track.timescale)


def rate(pieces: Sequence[tuple[int, int]], timescale: int) -> Rate:
    """Of (ticks, bytes) that follow each other. The peak is the largest bit rate of any contiguous pieces that last 0.5 to
    1.5 target durations together, so that a last piece of some milliseconds is none of its own."""
    points = _points(0, pieces)
    average = Fraction(points[-1][1] * timescale, max(1, points[-1][0]))
    target = target_duration((ticks for ticks, _ in pieces), timescale) * timescale
    steepest = _steepest(points[:-1], points[1:], target // 2, target * 3 // 2)
    return Rate(math.ceil(max(steepest * timescale, average)), math.ceil(average))


def target_duration(ticks: Iterable[int], timescale: int) -> int:
    """Whole seconds that no piece, rounded to the nearest second, outlasts; at least 1."""
    return max(1, (2 * max(ticks, default=0) + timescale) // (2 * timescale))


def sustained(track: Track, buffer_s: Fraction) -> int:
    """The least constant rate, in bits a second, at which whoever begins at any segment, and plays once `buffer_s` worth of
    that rate is there, has every segment in whole before its first picture is due."""
    pieces = [(segment.duration, segment.size_bytes) for segment in track.segments]
    points = _points(track.segments[0].start, pieces)
    ahead = max(1, math.floor(buffer_s * track.timescale))
    due = [(tick + ahead, bits) for (tick, _), (_, bits) in pairwise(points)]
    return math.ceil(_steepest(points[:-1], due, ahead, None) * track.timescale)


def _points(start: int, pieces: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    sums = accumulate(pieces, lambda sum_, piece: (sum_[0] + piece[0], sum_[1] + 8 * piece[1]), initial=(start, 0))
    return list(sums)


def _steepest(begins: _Points, ends: _Points, shortest: int, longest: int | None) -> Fraction:
    """The largest (bits of an end - bits of a begin) / (ticks between), over pairs that lie `shortest` to `longest` ticks
    apart; 0 without one.

    Dinkelbach's method for fractional programs: each round is one pass that finds the pair farthest above the slope of the
    last, and few rounds are needed, since they converge faster than linearly.
    """
    slope = Fraction(0)
    while (steeper := _above(begins, ends, max(1, shortest), longest, slope)) is not None:
        slope = steeper
    return slope


def _above(begins: _Points, ends: _Points, shortest: int, longest: int | None, slope: Fraction) -> Fraction | None:
    """The slope of the pair that exceeds `slope` most. A queue keeps those begins that may still be the best, lowest first:
    each enters and leaves it once."""
    bits_part, ticks_part = slope.denominator, slope.numerator
    best, found, unseen = 0, None, 0
    open_begins: deque[tuple[int, int, int]] = deque()
    for tick, bits in ends:
        while unseen < len(begins) and begins[unseen][0] <= tick - shortest:
            at, had = begins[unseen]
            height = had * bits_part - at * ticks_part
            while open_begins and open_begins[-1][0] >= height:
                open_begins.pop()
            open_begins.append((height, at, had))
            unseen += 1
        while longest is not None and open_begins and open_begins[0][1] < tick - longest:
            open_begins.popleft()
        if open_begins:
            height, at, had = open_begins[0]
            gain = bits * bits_part - tick * ticks_part - height
            if gain > best:
                best, found = gain, Fraction(bits - had, tick - at)
    return found
