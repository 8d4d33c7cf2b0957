"""Clocks: wherever a file's own begins, whatever starts first or ends last, the viewer's clock starts at 0 and picture and
sound are as far apart as they were."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from corpus import odd
from corpus.beeps import Sound, beeps
from corpus.gameplay import cut
from corpus.surgery import trim_head
from integration.transcode.timely import assert_in_time, assert_playable, assert_together
from integration.transcode.watched import EVERY_WAY, How, watch

pytestmark = EVERY_WAY

TIMES = odd.even(30, 90)
BEEPS = (0.5, 2.5)
SOUND = Sound(3.0, beeps_s=BEEPS)


@pytest.mark.parametrize("b_frames", [0, 2])
@pytest.mark.parametrize(
    ("suffix", "clock_s"), [(".mkv", 1000.0), (".mkv", -0.5), (".mp4", 1000.0), (".mp4", 0.5), (".mov", 5.0)]
)
def test_where_the_clock_begins_does_not_matter(
    tmp_path: Path, how: How, suffix: str, clock_s: float, b_frames: int
) -> None:
    options = {"avoid_negative_ts": "disabled"} if clock_s < 0 else {}
    clip = odd.write(
        tmp_path / f"clip{suffix}",
        TIMES,
        look=odd.Look(b_frames=b_frames),
        sounds=[SOUND],
        clock_s=clock_s,
        container_options=options,
    )
    seen = watch(clip, how=how)
    assert seen.video.shown_at()[0] == 0
    assert seen.video.numbers() == list(range(90))
    assert_together(seen, TIMES, BEEPS)
    assert_playable(seen)


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_sound_that_begins_first_is_heard_from_its_beginning(tmp_path: Path, how: How, suffix: str) -> None:
    """In an MP4 this is an edit list that delays the picture. The first picture is shown until the second is due."""
    sound = Sound(3.0, start_s=-0.7, beeps_s=(-0.4, 0.5, 2.5))
    clip = odd.write(tmp_path / f"clip{suffix}", TIMES, sounds=[sound], clock_s=0.7)
    seen = watch(clip, how=how)
    origin = Fraction(-7, 10)
    assert [round(at_s, 2) for at_s in beeps(seen.sound)] == pytest.approx([0.3, 1.2, 3.2], abs=0.025)
    assert seen.video.shown_at()[0] == 0, "there is something to see from the first moment"
    assert_in_time(seen, TIMES, origin)
    numbers = seen.video.numbers()
    assert numbers[:20] == [0] * 20
    assert numbers[-1] == 89


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_sound_that_begins_later_waits(tmp_path: Path, how: How, suffix: str) -> None:
    sound = Sound(3.0, start_s=0.7, beeps_s=(1.0, 2.5))
    clip = odd.write(tmp_path / f"clip{suffix}", TIMES, sounds=[sound])
    seen = watch(clip, how=how)
    assert seen.video.numbers() == list(range(90))
    assert_together(seen, TIMES, (1.0, 2.5))
    assert float(abs(seen.sound[:, : 48_000 * 6 // 10]).max()) < 0.01, "silence stands before it"


@pytest.mark.parametrize("lead_s", [0.02, 0.08])
def test_a_little_sound_in_front_does_not_shift_the_clip(tmp_path: Path, how: How, lead_s: float) -> None:
    """An encoder's priming and a recorder's jitter: the clip begins with its first picture."""
    sound = Sound(3.0, start_s=-lead_s, beeps_s=BEEPS)
    seen = watch(odd.write(tmp_path / "clip.mkv", TIMES, sounds=[sound], clock_s=0.5), how=how)
    assert seen.video.numbers() == list(range(90))
    assert_together(seen, TIMES, BEEPS)


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_sound_that_ends_last_is_not_cut(tmp_path: Path, how: How, suffix: str) -> None:
    sound = Sound(5.0, beeps_s=(0.5, 2.5, 4.7))
    seen = watch(odd.write(tmp_path / f"clip{suffix}", TIMES, sounds=[sound]), how=how)
    assert_in_time(seen, TIMES)
    assert_together(seen, TIMES, (0.5, 2.5, 4.7))


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_pictures_that_end_last_are_not_cut(tmp_path: Path, how: How, suffix: str) -> None:
    seen = watch(odd.write(tmp_path / f"clip{suffix}", TIMES, sounds=[Sound(1.0, beeps_s=(0.5,))]), how=how)
    assert seen.video.numbers() == list(range(90))
    assert_together(seen, TIMES, (0.5,))


@pytest.mark.parametrize("b_frames", [0, 2])
@pytest.mark.parametrize("trimmed_s", [1.0, 1.3], ids=["at_a_key", "inside_a_gop"])
def test_a_head_trimmed_by_edit_lists_is_not_shown(tmp_path: Path, how: How, trimmed_s: float, b_frames: int) -> None:
    """As phones trim: the samples are still there, and what follows needs them."""
    clip = odd.write(tmp_path / "phone.mp4", TIMES, look=odd.Look(b_frames=b_frames, gop=30), sounds=[SOUND])
    seen = watch(trim_head(clip, trimmed_s), how=how)
    first = round(trimmed_s * 30)
    assert seen.video.numbers() == list(range(first, 90))
    assert_in_time(seen, TIMES, Fraction(first, 30))
    assert_together(seen, TIMES, BEEPS, Fraction(first, 30))
    assert_playable(seen)


def test_a_recorder_that_paused_leaves_a_gap_not_a_shift(tmp_path: Path, how: How) -> None:
    """Two seconds of the timeline hold neither picture nor sound; what follows is still where it belongs."""
    times = [*odd.even(30, 45), *(Fraction(7, 2) + at for at in odd.even(30, 45))]
    sound = Sound(5.0, beeps_s=(0.5, 4.5), codec="pcm_s16le", pause_s=(1.5, 3.5))
    seen = watch(odd.write(tmp_path / "clip.mkv", times, sounds=[sound], rate=30), how=how)
    assert_in_time(seen, times)
    assert_together(seen, times, (0.5, 4.5))


def test_a_short_gap_in_the_sound_does_not_bring_the_rest_forward(tmp_path: Path, how: How) -> None:
    """Three lost packets of 21 ms: too little to notice, and enough to be two pictures early from there on."""
    sound = Sound(3.0, beeps_s=BEEPS, codec="pcm_s16le", pause_s=(1.0, 1.064))
    seen = watch(odd.write(tmp_path / "clip.mkv", TIMES, sounds=[sound]), how=how)
    assert_together(seen, TIMES, BEEPS)


@pytest.mark.parametrize("suffix", [".mkv", ".flv"])
def test_a_clip_cut_inside_a_gop_begins_where_it_can(tmp_path: Path, how: How, suffix: str) -> None:
    """A replay buffer cut without encoding: half a second of pictures has no key. Sound goes on from the start."""
    whole = odd.write(tmp_path / "whole.mp4", TIMES, look=odd.Look(gop=30), sounds=[SOUND])
    seen = watch(cut(whole, tmp_path / f"clip{suffix}", start_s=0.5, end_s=10), how=how)
    numbers = seen.video.numbers()
    assert set(range(30, 90)) <= set(numbers)
    heard = beeps(seen.sound)
    at = seen.video.shown_at()[numbers.index(75)]
    assert heard[-1] - float(at) == pytest.approx(0.0, abs=1 / 30), "the beep at 2.5 s belongs to picture 75"


def test_pictures_without_times_are_counted(tmp_path: Path, how: How) -> None:
    """AVI tells no times at all, and Matroska's pictures before 0 have none."""
    clip = odd.write(tmp_path / "clip.avi", odd.even(25, 75), look=odd.Look(b_frames=2))
    seen = watch(clip, how=how)
    assert seen.video.rate() == 25
    assert seen.video.numbers() == list(range(75))
