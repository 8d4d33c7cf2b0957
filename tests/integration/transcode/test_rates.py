"""Rhythms: what rate comes out, and whether every picture is shown when it is due, to the last one."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest

from corpus import odd
from corpus.beeps import Sound
from integration.transcode.timely import assert_in_time, assert_playable, assert_together
from integration.transcode.watched import EVERY_WAY, How, watch

pytestmark = EVERY_WAY

NTSC_60, NTSC_30, FILM = Fraction(60000, 1001), Fraction(30000, 1001), Fraction(24000, 1001)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
@pytest.mark.parametrize(
    "rate",
    [NTSC_60, NTSC_30, FILM, Fraction(4), Fraction(25), Fraction(50)],
    ids=["59.94", "29.97", "23.976", "4", "25", "50"],
)
def test_a_constant_rate_stays_exactly_what_it_is(tmp_path: Path, how: How, rate: Fraction, suffix: str) -> None:
    """Every picture once, each in its own slot, with the sound beside it at the end."""
    count = round(rate * 5)
    times, beeps_s = odd.even(rate, count), (0.5, 2.5, 4.5)
    seen = watch(
        odd.write(tmp_path / f"clip{suffix}", times, sounds=[Sound(float(count / rate), beeps_s=beeps_s)]),
        how=how,
    )
    assert seen.video.rate() == rate
    assert seen.video.numbers() == list(range(count))
    assert_together(seen, times, beeps_s)
    assert_playable(seen)


@pytest.mark.parametrize(("rate", "every"), [(120, 2), (240, 4)])
def test_a_high_rate_is_thinned_evenly(tmp_path: Path, how: How, rate: int, every: int) -> None:
    """120 pictures a second become 60 by leaving out every second one, never two neighbours."""
    times, beeps_s = odd.even(rate, rate * 3 // 2), (0.25, 1.25)
    seen = watch(odd.write(tmp_path / "clip.mp4", times, sounds=[Sound(1.5, beeps_s=beeps_s)]), how=how)
    assert seen.video.rate() == 60
    assert_in_time(seen, times)
    numbers = [number for number in seen.video.numbers() if number is not None]
    assert len(numbers) in (90, 91)
    assert {later - earlier for earlier, later in pairwise(numbers[:90])} == {every}
    assert_together(seen, times, beeps_s)


def test_a_rate_just_above_sixty_is_held_to_sixty(tmp_path: Path, how: How) -> None:
    times, beeps_s = odd.even(72, 216), (0.5, 2.5)
    seen = watch(odd.write(tmp_path / "clip.mp4", times, sounds=[Sound(3.0, beeps_s=beeps_s)]), how=how)
    assert seen.video.rate() == 60
    assert_in_time(seen, times)
    assert_together(seen, times, beeps_s)


STUTTERS = {
    "fast_first": ((64, 1.0), (1, 3.0), (30, 1.0), (7, 1.0), (64, 0.5)),
    "slow_first": ((1, 2.0), (64, 1.0), (10, 1.0), (60, 1.0)),
}


@pytest.mark.parametrize("stutter", ["fast_first", "slow_first"])
@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_a_stuttering_rhythm_keeps_every_picture_at_its_time(
    tmp_path: Path, how: How, stutter: str, suffix: str
) -> None:
    """1 to 64 pictures a second in one file: what lay a frame's length or more apart is all there, at its own time."""
    times = odd.mixed(*STUTTERS[stutter])
    length_s = float(times[-1]) + 0.1
    beeps_s = (0.5, 2.5, float(times[-1]) - 0.3)
    clip = odd.write(tmp_path / f"clip{suffix}", times, sounds=[Sound(length_s, beeps_s=beeps_s)], rate=60)
    seen = watch(clip, how=how)
    assert_in_time(seen, times)
    assert_together(seen, times, beeps_s)
    assert_playable(seen)
    shown = set(seen.video.numbers())
    slow = [n for n, (at, then) in enumerate(pairwise(times)) if then - at >= Fraction(1, 31)]
    assert not [n for n in slow if n not in shown], "a picture that was shown for 1/30 s is lost"
    assert seen.video.rate() >= 30, "pictures that came 64 times a second deserve more"


def test_ever_slower_pictures_do_not_push_the_sound_away(tmp_path: Path, how: How) -> None:
    """A rhythm whose average says nothing: from 60 down to 2 pictures a second."""
    times = odd.mixed((60, 0.5), (48, 0.5), (30, 0.5), (15, 0.6), (10, 0.6), (5, 0.6), (2, 2.0))
    beeps_s = (0.25, 2.0, float(times[-1]))
    clip = odd.write(tmp_path / "clip.mkv", times, sounds=[Sound(float(times[-1]) + 0.5, beeps_s=beeps_s)], rate=60)
    seen = watch(clip, how=how)
    assert_in_time(seen, times)
    assert_together(seen, times, beeps_s)


@pytest.mark.parametrize("count", [1, 2, 15], ids=["one_picture", "two_pictures", "half_a_second"])
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_shorter_than_one_segment(tmp_path: Path, how: How, count: int, suffix: str) -> None:
    seen = watch(odd.write(tmp_path / f"clip{suffix}", odd.even(30, count)), how=how)
    assert seen.video.numbers() == list(range(count))
    assert len(seen.video.segments) == 1
    assert_playable(seen)


@pytest.mark.parametrize("gop", [1, 10_000, 37], ids=["all_keys", "one_key", "odd_gop"])
def test_the_sources_gops_do_not_matter(tmp_path: Path, how: How, gop: int) -> None:
    times, beeps_s = odd.even(30, 180), (0.5, 5.5)
    look = odd.with_options(odd.Look(gop=gop), **{"x264-params": "scenecut=0"})
    seen = watch(odd.write(tmp_path / "clip.mp4", times, look=look, sounds=[Sound(6.0, beeps_s=beeps_s)]), how=how)
    assert seen.video.numbers() == list(range(180))
    assert_together(seen, times, beeps_s)
    assert_playable(seen)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_an_open_gop_loses_nothing(tmp_path: Path, how: How, suffix: str) -> None:
    """Keyframes that are no IDR: pictures in front of them need the GOP before."""
    times, beeps_s = odd.even(30, 150), (0.5, 4.5)
    look = odd.with_options(
        odd.Look(b_frames=3, gop=25),
        preset="superfast",
        **{"x264-params": "open-gop=1:b-pyramid=2:bframes=3:b-adapt=0"},
    )
    seen = watch(odd.write(tmp_path / f"clip{suffix}", times, look=look, sounds=[Sound(5.0, beeps_s=beeps_s)]), how=how)
    assert seen.video.numbers() == list(range(150))
    assert_together(seen, times, beeps_s)
    assert_playable(seen)


def test_renditions_show_the_same_picture_at_the_same_time(tmp_path: Path, how: How) -> None:
    times = odd.mixed((60, 1.0), (3, 2.0), (60, 0.5))
    clip = odd.write(tmp_path / "clip.mkv", times, look=odd.Look(size=(480, 270)), rate=60)
    seen = watch(clip, ladder=(144, 240), how=how)
    high, low = seen.videos
    assert high.rate() == low.rate()
    assert high.numbers() == low.numbers()
    assert high.shown_at() == low.shown_at()
    assert_in_time(seen, times)
