"""What players record and editors write, codec by codec and container by container: nothing lost, nothing shifted."""

from __future__ import annotations

from pathlib import Path

import av
import pytest

from corpus import odd
from corpus.beeps import Sound
from corpus.gameplay import remux
from integration.transcode.timely import assert_in_time, assert_playable, assert_together
from integration.transcode.watched import EVERY_WAY, How, Watched, watch

pytestmark = EVERY_WAY

COUNT, BEEPS = 90, (0.5, 2.5)
TIMES = odd.even(30, COUNT)

KINDS: dict[str, tuple[str, odd.Look, str | None]] = {
    "h264_mp4": (".mp4", odd.Look(b_frames=2), "aac"),
    "h264_mov": (".mov", odd.Look(), "aac"),
    "h264_flv": (".flv", odd.Look(), "aac"),
    "h264_mkv_flac": (".mkv", odd.Look(), "flac"),
    "h264_mkv_pcm": (".mkv", odd.Look(), "pcm_s16le"),
    "h264_mp4_ac3": (".mp4", odd.Look(), "ac3"),
    "h264_ten_bits": (".mp4", odd.Look(pixel_format="yuv420p10le", b_frames=2), "aac"),
    "h264_422_ten_bits": (".mp4", odd.Look(pixel_format="yuv422p10le"), "aac"),
    "h264_444": (".mp4", odd.Look(pixel_format="yuv444p"), "aac"),
    "hevc_mp4": (".mp4", odd.Look(codec="libx265", b_frames=2), "aac"),
    "hevc_ten_bits": (".mp4", odd.Look(codec="libx265", pixel_format="yuv420p10le"), "aac"),
    "av1_mp4": (".mp4", odd.Look(codec="libsvtav1"), "aac"),
    "av1_opus_mp4": (".mp4", odd.Look(codec="libsvtav1", pixel_format="yuv420p10le"), "libopus"),
    "vp9_opus_webm": (".webm", odd.Look(), "libopus"),
    "vp9_mp4": (".mp4", odd.Look(codec="libvpx-vp9"), "aac"),
    "mpeg4_mp3_avi": (".avi", odd.Look(codec="mpeg4"), "libmp3lame"),
    "mpeg4_b_frames_avi": (".avi", odd.Look(codec="mpeg4", b_frames=2), "libmp3lame"),
    "mpeg2_mkv": (".mkv", odd.Look(codec="mpeg2video"), "mp2"),
    "mjpeg_avi": (".avi", odd.Look(codec="mjpeg", pixel_format="yuvj420p"), "pcm_s16le"),
    "ffv1_mkv": (".mkv", odd.Look(codec="ffv1"), "flac"),
}


@pytest.mark.parametrize("kind", list(KINDS))
def test_every_picture_and_every_beep_arrives(tmp_path: Path, how: How, kind: str) -> None:
    suffix, look, codec = KINDS[kind]
    sounds = [Sound(3.0, beeps_s=BEEPS, codec=codec)]
    seen = watch(odd.write(tmp_path / f"clip{suffix}", TIMES, look=look, sounds=sounds), how=how)
    assert seen.video.numbers() == list(range(COUNT))
    assert seen.video.rate() == 30
    assert (seen.pictures, seen.damaged) == (COUNT, 0)
    assert_in_time(seen, TIMES)
    assert_together(seen, TIMES, BEEPS)
    assert_playable(seen)
    assert_plays_anywhere(seen)


def assert_plays_anywhere(seen: Watched) -> None:
    """8-bit 4:2:0 H.264 up to High, AAC-LC at 48 kHz: what every browser decodes."""
    for stream in (*seen.videos, *seen.copies):
        assert {frame.format.name for frame in stream.frames()} == {"yuv420p"}
        profile = stream.init[stream.init.index(b"avcC") + 5]
        assert profile in (66, 77, 100), f"{stream.name}: profile {profile}"
    for stream in seen.sounds:
        heard = stream.sound()
        assert heard.shape[0] == 2
        assert abs(heard.shape[1] / 48_000 - 3.0) < 0.06


def test_h264_in_avi_keeps_every_picture(tmp_path: Path, how: How) -> None:
    """AVI tells no times, and libav takes H.264's for two pictures late; what is sure is the pictures and their rate."""
    seen = watch(odd.write(tmp_path / "clip.avi", TIMES, look=odd.Look(codec="libx264")), how=how)
    assert seen.video.numbers() == list(range(COUNT))
    assert seen.video.rate() == 30


LAYOUTS = {
    "moov_at_end": {},
    "faststart": {"movflags": "faststart"},
    "fragmented": {"movflags": "frag_keyframe+delay_moov+default_base_moof"},
    "fragmented_by_time": {"movflags": "delay_moov+default_base_moof", "frag_duration": "400000"},
    "hybrid": {"movflags": "frag_keyframe+delay_moov+hybrid_fragmented"},
}


@pytest.mark.parametrize("layout", list(LAYOUTS))
def test_it_does_not_matter_where_the_index_is(tmp_path: Path, how: How, layout: str) -> None:
    """Recorders write fragments so that a crash costs little, and leave the index to the end. Without `delay_moov` the file
    would have no edit list, and say itself that its sound is 45 ms early."""
    clip = odd.write(
        tmp_path / "clip.mp4",
        TIMES,
        look=odd.Look(b_frames=2),
        sounds=[Sound(3.0, beeps_s=BEEPS)],
        container_options=LAYOUTS[layout],
    )
    seen = watch(clip, how=how)
    assert seen.video.numbers() == list(range(COUNT))
    assert_together(seen, TIMES, BEEPS)
    assert_playable(seen)


@pytest.mark.parametrize("suffix", [".mkv", ".mov", ".flv"])
def test_a_clip_repacked_is_the_same_clip(tmp_path: Path, how: How, suffix: str) -> None:
    """What OBS's "remux recordings" and its like do."""
    look = odd.Look(b_frames=2)
    first = odd.write(tmp_path / "first.mp4", TIMES, look=look, sounds=[Sound(3.0, beeps_s=BEEPS)])
    seen = watch(remux(first, tmp_path / f"clip{suffix}"), how=how)
    assert seen.video.numbers() == list(range(COUNT))
    assert_together(seen, TIMES, BEEPS)


FIELDS = odd.with_options(odd.Look(fields=True), **{"x264-params": "tff=1"})
MPEG2_FIELDS = odd.with_options(odd.Look(fields=True, codec="mpeg2video"), flags="+ildct+ilme")


@pytest.mark.parametrize("look", [FIELDS, MPEG2_FIELDS], ids=["h264_mbaff", "mpeg2"])
def test_interlaced_pictures_are_whole_again(tmp_path: Path, how: How, look: odd.Look) -> None:
    """Two moments are woven into each frame. What is shown is one moment at a time, in order, and beside its sound."""
    times = odd.even(25, 75)
    clip = odd.write(tmp_path / "camera.mkv", times, look=look, sounds=[Sound(3.0, beeps_s=BEEPS)])
    with av.open(str(clip)) as container:
        frames = list(container.decode(video=0))
    assert all(frame.interlaced_frame for frame in frames), "the source must be what it is meant to be"
    seen = watch(clip, how=how)
    assert_in_time(seen, [number * (times[1] / 2) for number in range(150)])
    assert_together(seen, [number * (times[1] / 2) for number in range(150)], BEEPS)


def test_interlaced_motion_stays_as_smooth_as_it_was(tmp_path: Path, how: How) -> None:
    """Fifty moments a second are fifty pictures, not twenty-five: Apple's authoring rules ask for 30i to become 60p."""
    clip = odd.write(tmp_path / "camera.mp4", odd.even(25, 50), look=FIELDS)
    seen = watch(clip, how=how)
    assert seen.video.rate() == 50
    assert set(seen.video.numbers()) >= set(range(2, 98))
