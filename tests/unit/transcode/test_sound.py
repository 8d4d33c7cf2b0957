"""Sound onto one unbroken timeline."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest

from clipstream.transcode.sound.samples import SAMPLE_RATE, Samples
from clipstream.transcode.sound.soundtrack import Soundtrack


def frame(
    start_s: float | None, length_s: float, *, rate: int = SAMPLE_RATE, layout: str = "stereo", level: float = 0.5
) -> av.AudioFrame:
    channels = {"mono": 1, "stereo": 2, "5.1": 6}[layout]
    samples = np.full((channels, round(length_s * rate)), level, np.float32)
    made = av.AudioFrame.from_ndarray(samples, format="fltp", layout=layout)
    made.sample_rate, made.time_base = rate, Fraction(1, rate)
    made.pts = None if start_s is None else round(start_s * rate)
    return made


def track(*frames: av.AudioFrame, origin_s: float = 0.0) -> Samples:
    soundtrack = Soundtrack(origin_s, max_duration_s=60)
    parts = [part for each in frames for part in soundtrack.add(each)]
    parts += soundtrack.finish()
    return np.concatenate(parts, axis=1) if parts else np.zeros((2, 0), np.float32)


def seconds(samples: Samples) -> float:
    return float(samples.shape[1] / SAMPLE_RATE)


def test_sound_that_begins_later_is_preceded_by_silence() -> None:
    samples = track(frame(10.25, 0.1), origin_s=10.0)
    assert seconds(samples) == pytest.approx(0.35)
    assert not samples[:, : SAMPLE_RATE // 4].any()
    assert samples[0, SAMPLE_RATE // 4] == pytest.approx(0.5)


def test_sound_that_begins_earlier_is_left_out() -> None:
    assert seconds(track(frame(0.0, 0.2), frame(0.2, 0.2), origin_s=0.15)) == pytest.approx(0.25)


def test_a_hole_is_filled() -> None:
    samples = track(frame(0.0, 0.5), frame(1.0, 0.5))
    assert seconds(samples) == pytest.approx(1.5)
    assert not samples[:, round(0.5 * SAMPLE_RATE) : SAMPLE_RATE].any()


def test_an_overlap_is_left_out() -> None:
    assert seconds(track(frame(0.0, 1.0), frame(0.5, 1.0))) == pytest.approx(1.5)


def test_jitter_below_a_tenth_of_a_second_changes_nothing() -> None:
    assert seconds(track(frame(0.0, 0.5), frame(0.55, 0.5), frame(0.97, 0.5))) == pytest.approx(1.5)


@pytest.mark.parametrize(("rate", "layout"), [(22_050, "mono"), (44_100, "stereo"), (48_000, "5.1"), (8_000, "mono")])
def test_everything_becomes_48_khz_stereo(rate: int, layout: str) -> None:
    samples = track(*(frame(n / 10, 0.1, rate=rate, layout=layout) for n in range(10)))
    assert samples.shape[0] == 2
    assert seconds(samples) == pytest.approx(1.0, abs=0.01)


def test_a_change_of_rate_within_the_track_is_followed() -> None:
    samples = track(frame(0.0, 0.5, rate=44_100), frame(0.5, 0.5, rate=22_050, layout="mono"), frame(1.0, 0.5))
    assert seconds(samples) == pytest.approx(1.5, abs=0.01)


def test_values_that_are_no_sound_are_tamed() -> None:
    samples = track(frame(0.0, 0.1, level=float("nan")), frame(0.1, 0.1, level=9.0))
    assert np.isfinite(samples).all()
    assert np.abs(samples).max() <= 1.0


def test_a_lone_timestamp_past_the_longest_clip_is_not_believed() -> None:
    samples = track(frame(0.0, 0.5), frame(3600.0, 0.5), frame(1.0, 0.5))
    assert seconds(samples) == pytest.approx(1.5)
    assert samples.min() == pytest.approx(0.5, abs=0.01)


def test_sound_past_the_longest_clip_is_not_waited_for() -> None:
    assert seconds(track(frame(0.0, 0.5), frame(3600.0, 0.5), frame(3600.5, 0.5))) == pytest.approx(0.5)


def test_it_ends_at_the_longest_clip() -> None:
    samples = track(*(frame(n * 10, 10) for n in range(8)))
    assert samples.shape[1] == 60 * SAMPLE_RATE


def test_a_long_hole_is_filled_once_a_second_frame_says_so() -> None:
    samples = track(frame(0.0, 0.5), frame(5.0, 0.5), frame(5.5, 0.5))
    assert seconds(samples) == pytest.approx(6.0)
    assert not samples[:, SAMPLE_RATE : 5 * SAMPLE_RATE].any()
    assert samples[0, 5 * SAMPLE_RATE + 100] == pytest.approx(0.5)


def test_a_clock_that_starts_again_adds_nothing() -> None:
    assert seconds(track(*(frame(n / 2, 0.5) for n in (0, 1, 2, 3, 0, 1, 2, 3, 4)))) == pytest.approx(2.5)


def test_a_steady_offset_below_a_tenth_of_a_second_is_put_right() -> None:
    """A lost packet: nobody hears the hole, but all that follows would come too early."""
    lost = 0.0427
    samples = track(*(frame(n / 50 + (lost if n > 50 else 0.0), 0.02) for n in range(200)))
    assert seconds(samples) == pytest.approx(4 + lost, abs=0.001)


def test_a_drifting_clock_is_followed_within_a_picture() -> None:
    """Timestamps run 1 % slower than the samples: without them the sound would end 0.3 s early."""
    samples = track(*(frame(n * 0.0202, 0.02) for n in range(1500)))
    assert seconds(samples) == pytest.approx(1500 * 0.0202, abs=0.04)


def test_frames_without_a_time_count_back_from_the_first_that_has_one() -> None:
    samples = track(frame(None, 0.1), frame(None, 0.1), frame(0.1, 0.1), frame(0.2, 0.1))
    assert seconds(samples) == pytest.approx(0.3)


def test_sound_without_any_time_begins_with_the_clip() -> None:
    samples = track(*(frame(None, 0.01) for _ in range(100)), origin_s=4.0)
    assert seconds(samples) == pytest.approx(1.0)


def test_sound_that_is_over_before_the_clip_begins_is_nothing() -> None:
    assert seconds(track(frame(-5.0, 0.5), frame(-4.5, 0.5), origin_s=1.0)) == 0


def test_one_channel_is_as_loud_on_both_sides() -> None:
    samples = track(frame(0.0, 0.5, layout="mono", level=0.25))
    assert samples[:, 5000] == pytest.approx([0.25, 0.25], abs=1e-4)


def test_six_channels_at_once_are_turned_down_and_not_cut_off() -> None:
    time = np.arange(SAMPLE_RATE) / SAMPLE_RATE
    tone = np.tile((0.9 * np.sin(2 * np.pi * 440 * time)).astype(np.float32), (6, 1))
    loud = av.AudioFrame.from_ndarray(tone, format="fltp", layout="5.1")
    loud.sample_rate, loud.time_base, loud.pts = SAMPLE_RATE, Fraction(1, SAMPLE_RATE), 0
    samples = track(loud)
    assert np.abs(samples).max() <= 1.0
    assert (
        np.abs(samples) > 0.999
    ).mean() < 0.1  # a clipped sine of twice the height would spend most of its time there


def test_a_position_within_a_resampled_track_is_kept() -> None:
    """A click at 2.5 s of 44.1 kHz in frames of odd lengths, behind a hole."""
    rate = 44_100
    line = np.zeros((2, 3 * rate), np.float32)
    line[:, round(2.5 * rate)] = 1.0
    frames, at = [], 0
    for length in [1000, 1024, 333] * 60:
        piece = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(line[:, at : at + length]), format="fltp", layout="stereo"
        )
        piece.sample_rate, piece.time_base, piece.pts = rate, Fraction(1, rate), at
        if not rate < at < 2 * rate:
            frames.append(piece)
        at += length
        if at + 1024 > line.shape[1]:
            break
    click = int(np.abs(track(*frames)[0]).argmax())
    assert click / SAMPLE_RATE == pytest.approx(2.5, abs=0.0002)
