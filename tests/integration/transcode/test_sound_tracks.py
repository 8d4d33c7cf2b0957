"""Sound: every track of every kind is heard as loud, as high and as early as it was, and none is lost."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from corpus import odd
from corpus.beeps import TONE_LEVEL, Sound, beeps, decibels, level
from integration.transcode.watched import Sound as Heard
from integration.transcode.watched import Watched, watch

TIMES = odd.even(30, 90)
BEEPS = (0.5, 2.5)
GAME_HZ, MIC_HZ, CHAT_HZ = 400.0, 1000.0, 1700.0


def assert_beeps(heard: Heard, due: tuple[float, ...], give_s: float = 1 / 30) -> None:
    found = beeps(heard)
    assert len(found) == len(due), f"beeps at {found}, not at {due}"
    assert all(abs(there - here) <= give_s for there, here in zip(found, due, strict=True)), f"{found}, not {due}"


def loudness(heard: Heard, hz: float) -> float:
    """Of a tone against how it was made, in dB; the louder channel counts."""
    return decibels(level(heard, hz))


@pytest.mark.parametrize(
    ("layout", "rate", "codec"),
    [
        ("stereo", 48_000, "aac"),
        ("stereo", 44_100, "aac"),
        ("mono", 22_050, "aac"),
        ("mono", 8_000, "pcm_s16le"),
        ("mono", 48_000, "libopus"),
        ("stereo", 96_000, "flac"),
        ("stereo", 44_100, "libmp3lame"),
    ],
    ids=["stereo_48", "stereo_44", "mono_22", "mono_8", "mono_opus", "stereo_96", "mp3_44"],
)
def test_loudness_pitch_and_place_are_kept(tmp_path: Path, layout: str, rate: int, codec: str) -> None:
    sound = Sound(3.0, tones_hz=(440.0,), beeps_s=BEEPS, layout=layout, rate=rate, codec=codec)
    seen = watch(odd.write(tmp_path / "clip.mkv", TIMES, sounds=[sound]))
    heard = seen.sound
    left, right = level(heard, 440.0)
    assert left == pytest.approx(right, rel=0.02), "one channel is heard on both sides"
    assert -3.2 <= loudness(heard, 440.0) <= 1.0, "mono may be spread over two loudspeakers, 3 dB"
    assert_beeps(heard, BEEPS)
    assert heard.shape[1] / 48_000 == pytest.approx(3.0, abs=0.06)


def test_left_stays_left(tmp_path: Path) -> None:
    sound = Sound(3.0, tones_hz=(400.0, 1000.0))
    heard = watch(odd.write(tmp_path / "clip.mp4", TIMES, sounds=[sound])).sound
    (left_low, right_low), (left_high, right_high) = level(heard, 400.0), level(heard, 1000.0)
    assert left_low == pytest.approx(TONE_LEVEL, rel=0.1)
    assert right_high == pytest.approx(TONE_LEVEL, rel=0.1)
    assert right_low < TONE_LEVEL / 30
    assert left_high < TONE_LEVEL / 30


@pytest.mark.parametrize("codec", ["aac", "ac3", "flac", "libopus"])
def test_surround_is_folded_into_two(tmp_path: Path, codec: str) -> None:
    """Front and rear stay on their sides, and the centre is heard on both."""
    tones = (400.0, 600.0, 900.0, 60.0, 1300.0, 1900.0)
    sound = Sound(3.0, tones_hz=tones, beeps_s=BEEPS, layout="5.1", codec=codec)
    heard = watch(odd.write(tmp_path / "clip.mkv", TIMES, sounds=[sound])).sound
    front_left, front_right, centre, _, back_left, back_right = (level(heard, hz) for hz in tones)
    for left, right in (front_left, back_left):
        assert left > 10 * right
    for left, right in (front_right, back_right):
        assert right > 10 * left
    assert centre[0] == pytest.approx(centre[1], rel=0.05)
    assert -10 <= decibels(front_left) <= 1
    assert -10 <= decibels(centre) - decibels(front_left) <= 1, "dialogue must not drown"
    assert_beeps(heard, BEEPS)


def recording(tmp_path: Path, suffix: str, *sounds: Sound) -> Path:
    return odd.write(tmp_path / f"recording{suffix}", TIMES, sounds=sounds)


GAME = Sound(3.0, tones_hz=(GAME_HZ,), beeps_s=(0.5,), title="Game", language="eng", default=True)
MIC = Sound(3.0, tones_hz=(MIC_HZ,), beeps_s=(1.5,), title="Mic", layout="mono", rate=44_100)
CHAT = Sound(3.0, tones_hz=(CHAT_HZ,), beeps_s=(2.5,), title="Voice chat", language="deu")
ALL_HZ = (GAME_HZ, MIC_HZ, CHAT_HZ)


def assert_only(heard: Heard, hz: float) -> None:
    for other in ALL_HZ:
        if other == hz:
            assert -3.5 <= loudness(heard, other) <= 1.0
        else:
            assert loudness(heard, other) < -30, f"{other} Hz belongs to another track"


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_three_tracks_stay_selectable_beside_their_mix(tmp_path: Path, suffix: str) -> None:
    seen = watch(recording(tmp_path, suffix, GAME, MIC, CHAT))
    assert [stream.default for stream in seen.sounds] == [True, False, False, False]
    mix = seen.sound
    for hz in ALL_HZ:
        assert -6.5 <= loudness(mix, hz) <= 1.0, f"{hz} Hz in the mix"
    assert_beeps(mix, (0.5, 1.5, 2.5))
    assert float(np.abs(mix).max()) <= 1.0
    for stream, sound in zip(seen.sounds[1:], (GAME, MIC, CHAT), strict=True):
        assert stream.title == sound.title
        assert (stream.language or "") in (sound.language[:2], "und")
        assert_only(stream.sound(), sound.tones_hz[0])
        assert_beeps(stream.sound(), sound.beeps_s)


def test_tracks_of_different_lengths_and_beginnings_stay_in_step(tmp_path: Path) -> None:
    """A microphone that was switched on late, and a chat that ended early."""
    late = replace(MIC, start_s=1.0, end_s=3.0)
    short = replace(CHAT, end_s=1.2, beeps_s=(0.9,))
    seen = watch(recording(tmp_path, ".mkv", GAME, late, short))
    assert_beeps(seen.sound, (0.5, 0.9, 1.5))
    assert seen.sound.shape[1] / 48_000 == pytest.approx(3.0, abs=0.06)
    heard = {stream.title: stream.sound() for stream in seen.sounds[1:]}
    assert_beeps(heard["Mic"], (1.5,))
    assert_beeps(heard["Voice chat"], (0.9,))
    assert loudness(heard["Mic"][:, : 48_000 * 9 // 10], MIC_HZ) < -40, "silence stands where it had not begun"


def test_a_track_that_is_already_the_mix_is_not_made_louder(tmp_path: Path) -> None:
    """OBS's usual file: track 1 is what 2 and 3 are together. The balance that the recorder heard is kept."""
    both = Sound(3.0, tones_hz=(GAME_HZ, MIC_HZ), chord=True, beeps_s=(0.5, 1.5), title="Mix", default=True)
    seen = watch(recording(tmp_path, ".mkv", both, replace(GAME, default=False), replace(MIC, layout="stereo")))
    heard = seen.sound
    game, mic = loudness(heard, GAME_HZ), loudness(heard, MIC_HZ)
    assert abs(game - mic) <= 1.5
    assert -6.5 <= game <= 3.0
    assert_beeps(heard, (0.5, 1.5))
    assert float(np.abs(heard).max()) <= 1.0
    titles = [stream.title for stream in seen.sounds]
    assert "Game" in titles
    assert "Mic" in titles


def test_two_tracks_are_both_heard(tmp_path: Path) -> None:
    seen = watch(recording(tmp_path, ".mp4", GAME, MIC))
    assert loudness(seen.sound, GAME_HZ) >= -6.5
    assert loudness(seen.sound, MIC_HZ) >= -6.5
    assert sorted(filter(None, (stream.title for stream in seen.sounds[1:]))) == ["Game", "Mic"]


def test_one_track_is_not_mixed_with_anything(tmp_path: Path) -> None:
    seen = watch(recording(tmp_path, ".mp4", GAME))
    assert len(seen.sounds) == 1
    assert_only(seen.sound, GAME_HZ)


def test_no_sound_is_not_invented(tmp_path: Path) -> None:
    seen = watch(recording(tmp_path, ".mp4"))
    assert seen.sounds == ()
    assert seen.video.numbers() == list(range(90))


@pytest.mark.parametrize(
    ("suffix", "codec"),
    [(".mp3", None), (".flac", None), (".m4a", None), (".m4a", "alac"), (".mkv", "libopus"), (".wav", "pcm_s16le")],
    ids=["mp3", "flac", "m4a", "alac", "mka", "wav"],
)
def test_sound_alone(tmp_path: Path, suffix: str, codec: str | None) -> None:
    sound = Sound(5.0, tones_hz=(440.0, 880.0), beeps_s=(0.5, 4.5), codec=codec)
    seen: Watched = watch(odd.write(tmp_path / f"voice{suffix}", sounds=[sound]))
    assert seen.videos == seen.copies == ()
    assert -1 <= loudness(seen.sound, 440.0) <= 1
    assert -1 <= loudness(seen.sound, 880.0) <= 1
    assert_beeps(seen.sound, (0.5, 4.5))
    assert Fraction(seen.sound.shape[1], 48_000) == pytest.approx(5.0, abs=0.06)
