"""Files that lie, break off or change on the way: what can be seen is seen, what is lost is counted, and too much of it is
refused with a sentence."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest

from clipstream.common.errors import Permanent
from corpus import chart, odd
from corpus.beeps import Sound, beeps
from corpus.surgery import claim_length, flip_bits, stretch_last_sample, truncate
from integration.transcode.timely import assert_in_time, assert_playable, assert_together
from integration.transcode.watched import EVERY_WAY, How, watch

pytestmark = EVERY_WAY

COUNT, BEEPS = 150, (0.5, 1.5, 2.5, 3.5, 4.5)
TIMES = odd.even(30, COUNT)
SOUND = Sound(5.0, beeps_s=BEEPS)
STATED_SHARE = 0.5
"""Of the pictures: with more than this lost or concealed, a clip is refused."""


@pytest.mark.parametrize(
    ("suffix", "options"),
    [
        (".mkv", {}),
        (".mp4", {"movflags": "faststart"}),
        (".mp4", {"movflags": "frag_keyframe+delay_moov"}),
        (".flv", {}),
    ],
    ids=["mkv", "faststart", "fragmented", "flv"],
)
def test_a_file_that_breaks_off_plays_to_where_it_breaks(
    tmp_path: Path, how: How, suffix: str, options: dict[str, str]
) -> None:
    clip = odd.write(
        tmp_path / f"clip{suffix}", TIMES, look=odd.Look(gop=30), sounds=[SOUND], container_options=options
    )
    seen = watch(truncate(clip, 0.6), how=how)
    numbers = [number for number in seen.video.numbers() if number is not None]
    last = max(numbers)
    assert COUNT * 0.4 <= last < COUNT
    assert numbers[: last + 1] == list(range(last + 1))
    assert len(numbers) <= last + 2, "it ends where it breaks off, without a still picture to the end that was claimed"
    assert_playable(seen)
    heard = beeps(seen.sound)
    assert heard == pytest.approx(BEEPS[: len(heard)], abs=1 / 30)
    assert len(heard) >= 2


@pytest.mark.parametrize("per_kib", [0.05, 0.2], ids=["a_few", "some"])
def test_flipped_bits_are_counted_and_shift_nothing(tmp_path: Path, how: How, per_kib: float) -> None:
    """libav conceals without a word. Pictures that can still be read are at their times; the rest is reported."""
    clip = odd.write(tmp_path / "clip.mp4", TIMES, look=odd.Look(gop=10, b_frames=2), sounds=[SOUND])
    seen = watch(flip_bits(clip, per_kib), how=how)
    assert 0 < seen.damaged <= STATED_SHARE * seen.pictures
    numbers, at = seen.video.numbers(), seen.video.shown_at()
    assert len(numbers) == pytest.approx(COUNT, abs=2)
    readable = [(n, shown_s) for n, shown_s in zip(numbers, at, strict=True) if n is not None and n < COUNT]
    in_time = [n for n, shown_s in readable if abs(TIMES[n] - shown_s) <= Fraction(1, 30)]
    assert len(in_time) >= COUNT * 0.8
    assert beeps(seen.sound)[-1] == pytest.approx(BEEPS[-1], abs=0.1)
    assert_playable(seen)


def test_a_damaged_source_is_not_handed_on(tmp_path: Path, how: How) -> None:
    """What libav conceals, a browser's decoder may stop at: no picture of the source is played that was not clean."""
    clip = odd.write(tmp_path / "clip.mp4", TIMES, look=odd.Look(gop=10), sounds=[SOUND])
    seen = watch(flip_bits(clip, 0.2), how=how)
    assert seen.damaged
    assert not seen.copies


@pytest.mark.parametrize("per_kib", [20.0, 60.0], ids=["most", "all"])
def test_beyond_the_stated_share_a_sentence(tmp_path: Path, how: How, per_kib: float) -> None:
    clip = odd.write(tmp_path / "clip.mp4", TIMES, look=odd.Look(gop=75))
    with pytest.raises(Permanent, match=r"(damaged: \d+ of its \d+ pictures|Not one picture)") as refused:
        watch(flip_bits(clip, per_kib), how=how)
    assert str(refused.value).endswith(".")


def test_more_damage_is_more_that_is_reported(tmp_path: Path, how: How) -> None:
    counted = []
    for number, per_kib in enumerate((0.0, 0.05, 0.4)):
        clip = odd.write(tmp_path / f"{number}.mp4", TIMES, look=odd.Look(gop=10))
        counted.append(watch(flip_bits(clip, per_kib), how=how).damaged)
    assert counted[0] == 0
    assert all(earlier < later for earlier, later in pairwise(counted))


def test_damaged_sound_alone_is_no_reason_to_refuse(tmp_path: Path, how: How) -> None:
    clip = odd.write(tmp_path / "voice.m4a", sounds=[SOUND])
    seen = watch(flip_bits(clip, 0.5), how=how)
    assert seen.sound.shape[1] / 48_000 == pytest.approx(5.0, abs=0.5)


SMALL, LARGE, SQUARE = odd.Look(), odd.Look(size=(480, 270)), odd.Look(size=(240, 240))
BASELINE = odd.with_options(odd.Look(), profile="baseline")
HIGH = odd.with_options(odd.Look(), profile="high", preset="superfast")
DEEP = odd.Look(pixel_format="yuv420p10le")

CHANGES = {
    "larger": (SMALL, LARGE),
    "smaller": (LARGE, SMALL),
    "there_and_back": (LARGE, SMALL, LARGE),
    "profile": (BASELINE, HIGH, BASELINE),
    "depth": (SMALL, DEEP),
}


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
@pytest.mark.parametrize("change", list(CHANGES))
def test_a_source_that_changes_midway_plays_on(tmp_path: Path, how: How, change: str, suffix: str) -> None:
    """A game that switches its resolution while it is recorded: one size comes out, and every picture."""
    looks = CHANGES[change]
    clip = odd.write_changing(tmp_path / f"clip{suffix}", looks, rate=30, each=45)
    seen = watch(clip, how=how)
    assert seen.video.numbers() == list(range(45 * len(looks)))
    assert len({(frame.width, frame.height) for frame in seen.video.frames()}) == 1
    assert_in_time(seen, odd.even(30, 45 * len(looks)))
    assert seen.damaged == 0
    assert_playable(seen)
    assert not seen.copies, "browsers do not follow parameter sets that change inside a segment"


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_another_shape_midway_is_not_stretched(tmp_path: Path, how: How, suffix: str) -> None:
    """It stands between bars in the shape that the clip began with."""
    seen = watch(odd.write_changing(tmp_path / f"clip{suffix}", (SMALL, SQUARE), rate=30, each=45), how=how)
    frames = seen.video.frames()
    assert len({(frame.width, frame.height) for frame in frames}) == 1
    assert [chart.read(frame) for frame in frames[:45]] == list(range(45))
    assert [chart.read(chart.boxed(frame, 1.0)) for frame in frames[45:]] == list(range(45, 90))
    assert not seen.copies


def test_a_header_that_claims_ten_hours_does_not_make_ten_hours(tmp_path: Path, how: How) -> None:
    clip = odd.write(tmp_path / "clip.mp4", TIMES, sounds=[SOUND])
    seen = watch(claim_length(clip, 36_000.0), how=how)
    assert seen.video.numbers() == list(range(COUNT))
    assert_together(seen, TIMES, BEEPS)
    assert (seen.pictures, seen.damaged) == (COUNT, 0)


def test_a_last_picture_that_claims_ten_hours_is_shown_once(tmp_path: Path, how: How) -> None:
    times = odd.mixed((30, 1.0), (10, 2.0))
    clip = odd.write(tmp_path / "clip.mp4", times, sounds=[Sound(3.0, beeps_s=(0.5, 2.5))], rate=30)
    seen = watch(stretch_last_sample(clip, 36_000.0), how=how)
    assert_in_time(seen, times)
    assert_together(seen, times, (0.5, 2.5))
    assert seen.video.shown_at()[-1] < 4


def test_pictures_ten_hours_apart_are_refused(tmp_path: Path, how: How) -> None:
    """Here the claim is the pictures' own: held still for ten hours, it would be ten hours of output."""
    times = [*odd.even(30, 30), *(36_000 + at for at in odd.even(30, 30))]
    clip = odd.write(tmp_path / "clip.mkv", times, rate=30)
    with pytest.raises(Permanent, match=r"(longest clip|too long)") as refused:
        watch(clip, how=how)
    assert str(refused.value).endswith(".")


def test_sound_ten_hours_away_is_refused(tmp_path: Path, how: How) -> None:
    """Silence up to there would be ten hours of output."""
    far = Sound(36_001.0, start_s=36_000.0, codec="pcm_s16le")
    with pytest.raises(Permanent, match=r"(longest clip|too long)") as refused:
        watch(odd.write(tmp_path / "clip.mkv", TIMES, sounds=[far]), how=how)
    assert str(refused.value).endswith(".")
