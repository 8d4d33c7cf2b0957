"""Frames with any timestamps onto slots of a constant rate."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import av
import pytest

from clipstream.common.errors import Permanent
from clipstream.transcode.encoding.timing import Cadence, FrameTimes


def frame(pts: int | None = None, time_base: Fraction = Fraction(1, 1000)) -> av.VideoFrame:
    made = av.VideoFrame(16, 16, "yuv420p")
    made.pts, made.time_base = pts, time_base
    return made


def laid(times_s: Sequence[float], rate: int = 30, origin_s: float = 0.0) -> list[int]:
    """Which of the frames each slot shows."""
    cadence = Cadence(Fraction(rate), origin_s, max_duration_s=60)
    frames = [frame() for _ in times_s]
    shown = [
        item for time_s, each in zip(times_s, frames, strict=True) for item in cadence.add(cadence.slot(time_s), each)
    ]
    shown += cadence.finish()
    slots: list[int] = []
    for item in shown:
        assert item.first_slot == len(slots)
        slots += [next(i for i, each in enumerate(frames) if each is item.frame)] * item.slots
    return slots


def test_an_even_rate_stays_as_it_is() -> None:
    assert laid([n / 30 for n in range(90)]) == list(range(90))


def test_a_millisecond_clock_is_no_jitter() -> None:
    assert laid([round(n / 60, 3) for n in range(240)], rate=60) == list(range(240))


def test_a_gap_repeats_the_frame_before_it() -> None:
    assert laid([0, 1 / 30, 4 / 30]) == [0, 1, 1, 1, 2]


def test_twice_the_rate_keeps_every_second_frame() -> None:
    assert laid([n / 120 for n in range(240)], rate=60) == list(range(1, 240, 2))


def test_a_late_first_picture_is_shown_from_the_beginning() -> None:
    assert laid([1000.2, 1000.2 + 1 / 30], origin_s=1000.0) == [0] * 7 + [1]


def test_time_that_runs_backwards_is_ignored() -> None:
    assert laid([0, 2 / 30, 1 / 30, 3 / 30]) == [0, 0, 1, 3]


def test_a_jump_past_the_longest_clip_ends_the_work() -> None:
    with pytest.raises(Permanent, match="timestamps"):
        laid([0, 61.0])


def test_frames_before_the_first_time_count_back_from_it() -> None:
    times = FrameTimes(Fraction(10))
    given = [time for pts in (None, None, 0, 100, None) for time, _ in times.add(frame(pts))]
    assert given == pytest.approx([-0.2, -0.1, 0.0, 0.1, 0.2])
    assert list(times.finish()) == []


def test_a_file_without_times_begins_at_zero() -> None:
    times = FrameTimes(Fraction(10))
    assert [list(times.add(frame(None))) for _ in range(3)] == [[], [], []]
    assert [time for time, _ in times.finish()] == pytest.approx([0.0, 0.1, 0.2])


def test_untimed_frames_do_not_pile_up() -> None:
    times = FrameTimes(Fraction(10))
    released = [time for _ in range(200) for time, _ in times.add(frame(None))]
    assert released == pytest.approx([n / 10 for n in range(200)])
