"""Bit rates of a track as RFC 8216bis (4.1) defines them, measured on what its segments really weigh."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import floor

Weighed = Sequence[tuple[Fraction, int]]
"""(seconds, bytes) of each segment."""


def average(weighed: Weighed) -> float:
    length = sum(duration for duration, _ in weighed)
    return float(8 * sum(size for _, size in weighed) / length) if length else 0.0


def peak(weighed: Weighed) -> float:
    """The largest rate of any run of segments that lasts 0.5 to 1.5 target durations."""
    target = max(1, *(rounded(duration) for duration, _ in weighed))
    found = [
        average(weighed[first:last])
        for first in range(len(weighed))
        for last in range(first + 1, len(weighed) + 1)
        if target / 2 <= sum(duration for duration, _ in weighed[first:last]) <= target * 3 / 2
    ]
    return max(found, default=average(weighed))


def rounded(duration: Fraction) -> int:
    """To the nearest integer, halves up."""
    return floor(duration + Fraction(1, 2))
