"""Bit rates: compared with definitions written out, for any segments; and quick for long clips."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipstream.transcode.manifests.bandwidth import measured, rate, sustained, target_duration, track_rate
from fixtures.tracks import CLOCK, sound, video

PIECES = st.lists(st.tuples(st.integers(1, 6 * CLOCK), st.integers(1, 4_000_000)), min_size=1, max_size=30)


def runs(pieces: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """(ticks, bits) of every contiguous run."""
    for first in range(len(pieces)):
        for last in range(first + 1, len(pieces) + 1):
            yield sum(ticks for ticks, _ in pieces[first:last]), 8 * sum(size for _, size in pieces[first:last])


def test_the_peak_is_the_largest_run_of_about_a_target_duration() -> None:
    assert track_rate(video()).peak == 2_000_000


def test_the_average_is_all_bits_over_the_whole_length() -> None:
    assert track_rate(video()).average == math.ceil(8 * 1_600_000 / 9.5)


@given(PIECES)
def test_the_peak_follows_its_definition_whatever_the_segments(pieces: list[tuple[int, int]]) -> None:
    target = target_duration((ticks for ticks, _ in pieces), CLOCK) * CLOCK
    rates = [Fraction(bits * CLOCK, ticks) for ticks, bits in runs(pieces) if target <= 2 * ticks <= 3 * target]
    average = Fraction(8 * sum(size for _, size in pieces) * CLOCK, sum(ticks for ticks, _ in pieces))
    assert rate(pieces, CLOCK).peak == math.ceil(max([*rates, average]))


@given(PIECES, st.fractions(Fraction(1, 10), 8))
def test_at_the_sustained_rate_no_segment_is_late_and_below_it_one_is(
    pieces: list[tuple[int, int]], buffer_s: Fraction
) -> None:
    track = video(ticks=[ticks for ticks, _ in pieces], sizes=[size for _, size in pieces])
    needed = sustained(track, buffer_s)
    assert not late(track.segments, needed, buffer_s)
    assert late(track.segments, Fraction(needed) * Fraction(999, 1000) - 2, buffer_s)


def late(segments: object, bits_a_second: Fraction | int, buffer_s: Fraction) -> bool:
    """Whether a client that begins at some segment ever waits: the definition, step by step."""
    all_of_them = list(segments)  # type: ignore[call-overload]
    for first, begun in enumerate(all_of_them):
        arrived = Fraction(0)
        for segment in all_of_them[first:]:
            arrived += Fraction(8 * segment.size_bytes) / max(bits_a_second, Fraction(1, 10**9))
            if arrived > buffer_s + Fraction(segment.start - begun.start, CLOCK):
                return True
    return False


def test_a_variant_counts_the_largest_of_its_sounds() -> None:
    quiet, loud = sound(sizes=(1_000, 1_000)), sound(sizes=(640_000, 880_000))
    alone, loudest = track_rate(video()), track_rate(loud)
    together = measured(video(), [quiet, loud])
    assert (together.peak, together.average) == (alone.peak + loudest.peak, alone.average + loudest.average)


def test_a_tiny_last_segment_is_no_peak_of_its_own() -> None:
    tiny = track_rate(video(ticks=(4 * CLOCK, CLOCK // 32), sizes=(500_000, 50_000)))
    assert tiny.peak < 1.2 * tiny.average


@pytest.mark.parametrize(
    ("ticks", "target"), [(1, 1), (CLOCK * 4 + 61, 4), (CLOCK * 9 // 2 - 1, 4), (CLOCK * 9 // 2, 5)]
)
def test_no_segment_rounded_outlasts_the_target(ticks: int, target: int) -> None:
    assert target_duration([ticks], CLOCK) == target


def test_work_grows_with_the_segments_and_not_with_their_square(monkeypatch: pytest.MonkeyPatch) -> None:
    """Passes over the segments are counted: as many for 20 minutes of very short ones as for a few seconds."""
    import clipstream.transcode.manifests.bandwidth as module

    passes: list[int] = []
    above = module._above

    def counted(*arguments: object) -> Fraction | None:
        passes.append(1)
        return above(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "_above", counted)
    many = video(ticks=[CLOCK // 10] * 12_000, sizes=[10_000 + 7919 * n % 5_000 for n in range(12_000)], gop=0)
    track_rate(many)
    sustained(many, Fraction(4))
    assert len(passes) < 30
