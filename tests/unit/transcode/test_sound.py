"""Sound onto one unbroken timeline."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest

from clipstream.common.errors import Permanent
from clipstream.transcode.sound import SAMPLE_RATE, Peaks, Samples, Soundtrack


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


def test_a_timestamp_past_the_longest_clip_ends_the_work() -> None:
    with pytest.raises(Permanent, match="timestamps"):
        track(frame(0.0, 0.1), frame(3600.0, 0.1))


def test_peaks_keep_the_loudest_of_every_twentieth_second() -> None:
    peaks = Peaks()
    loud = np.zeros((2, SAMPLE_RATE // 10 + 100), np.float32)
    loud[1, 3000] = -0.75
    for part in np.array_split(loud, 7, axis=1):
        peaks.add(part)
    assert peaks.curve() == pytest.approx([0.0, 0.75, 0.0])
