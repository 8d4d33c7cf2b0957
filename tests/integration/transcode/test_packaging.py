"""How what is made of a whole clip is packaged: GOPs, segments, fragments and names, read from the files themselves. What is
seen and heard is judged by test_rates, test_orientation, test_colour, test_codecs and test_odd_timelines."""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from clipstream.transcode.made import Track
from corpus.gameplay import render_audio, render_clip
from integration.transcode import played
from integration.transcode.conftest import Transcode

small_clip = partial(render_clip, width=320, height=180)


def test_every_rendition_holds_every_picture_once(tmp_path: Path, transcoded: Transcode) -> None:
    clip = render_clip(tmp_path / "clip.mp4", seed=1, duration_s=9, width=480, height=270, gop=17, b_frames=2)
    package = transcoded(clip)
    out = package.directory
    assert [(track.name, track.width, track.height) for track in package.videos] == [
        ("240p", 426, 240),
        ("144p", 256, 144),
    ]
    assert (package.duration_s, package.pictures, package.damaged) == (9.0, 270, 0)
    for track in package.videos:
        samples = played.packets(track, out)
        assert len(samples) == 270
        decode_times = [dts for dts, _, _ in samples]
        assert decode_times == sorted(set(decode_times))
        step = decode_times[1] - decode_times[0]
        assert {later - earlier for earlier, later in pairwise(decode_times)} == {step}
        # Closed GOPs of two seconds, whatever the source's were.
        assert [n for n, (_, _, key) in enumerate(samples) if key] == [0, 60, 120, 180, 240]
        assert len(played.pictures(track, out)) == 270


def test_segments_are_two_gops_and_begin_with_a_key(tmp_path: Path, transcoded: Transcode) -> None:
    package = transcoded(small_clip(tmp_path / "clip.mp4", seed=1, duration_s=9))
    out = package.directory
    [track] = package.videos
    assert played.lengths_s(track) == [4.0, 4.0, 1.0]
    assert played.first_keys(track, out) == [True, True, True]
    assert [len(parts) for parts in played.fragments(track, out)] == [2, 2, 1]


def test_fragments_follow_each_other_without_a_gap(tmp_path: Path, transcoded: Transcode) -> None:
    package = transcoded(small_clip(tmp_path / "clip.mp4", seed=1, duration_s=9, fps=24))
    out = package.directory
    assert package.audio is not None
    for track in (*package.videos, package.audio):
        parts = [part for segment in played.fragments(track, out) for part in segment]
        assert parts[0].start == 0
        assert all(part.runs == 1 for part in parts)
        for earlier, later in pairwise(parts):
            assert later.start == earlier.start + earlier.duration
        assert played.length(track, out) == pytest.approx(track.duration_s)


def test_sound_segments_stay_beside_the_pictures(tmp_path: Path, transcoded: Transcode) -> None:
    package = transcoded(small_clip(tmp_path / "clip.mp4", seed=1, duration_s=22, fps=5))
    assert package.audio is not None
    starts = [package.audio.seconds(segment.start) for segment in package.audio.segments]
    assert len(starts) == 6
    assert all(abs(start - 4 * n) <= 0.5 for n, start in enumerate(starts))


def test_sound_keeps_its_place(tmp_path: Path, transcoded: Transcode) -> None:
    """The game's shots and steps are in both; the encoder's priming must not shift them."""
    clip = small_clip(tmp_path / "clip.mp4", seed=5, duration_s=4)
    package = transcoded(clip)
    out = package.directory
    assert package.audio is not None
    with av.open(str(clip)) as container:
        before = np.concatenate([np.asarray(f.to_ndarray(), np.float32)[0] for f in container.decode(audio=0)])
    after = played.samples(package.audio, out)[0]
    window = slice(48_000, 96_000)
    shifts = range(-2048, 2049, 16)
    scores = [float(np.dot(before[window], after[48_000 + s : 96_000 + s])) for s in shifts]
    assert abs(shifts[int(np.argmax(scores))]) <= 16


def test_a_clip_without_sound_has_no_sound_track(tmp_path: Path, transcoded: Transcode) -> None:
    package = transcoded(small_clip(tmp_path / "clip.mp4", seed=1, duration_s=0.5, audio=False))
    assert package.audio is None
    assert package.videos


@pytest.mark.parametrize("suffix", [".m4a", ".mp3", ".ogg", ".flac", ".wav"])
def test_a_recording_without_pictures_is_sound_alone(tmp_path: Path, transcoded: Transcode, suffix: str) -> None:
    package = transcoded(render_audio(tmp_path / f"voice{suffix}", seed=1, duration_s=5))
    out = package.directory
    assert package.videos == ()
    assert package.audio is not None
    assert package.audio.codec == "mp4a.40.2"
    assert played.length(package.audio, out) == pytest.approx(5.0, abs=0.06)


def test_the_codec_is_named_after_what_the_track_holds(tmp_path: Path, transcoded: Transcode) -> None:
    package = transcoded(small_clip(tmp_path / "clip.mp4", seed=1, duration_s=0.5, fps=60))
    out = package.directory
    track: Track = package.videos[0]
    with av.open(str(out / track.init_file)) as container:
        extradata = container.streams.video[0].codec_context.extradata or b""
    assert track.codec == f"avc1.{extradata[1:4].hex()}"
    assert track.codec.startswith("avc1.64"), "High profile"
    assert Fraction(track.frame_rate) == 60


def test_x264_is_told_what_was_decided(tmp_path: Path, transcoded: Transcode) -> None:
    """Read from where x264 notes its settings in the stream. Sliced threads would cost bits with every core."""
    package = transcoded(small_clip(tmp_path / "clip.mp4", seed=1, duration_s=0.5))
    out = package.directory
    stream = played.joined(package.videos[0], out)
    noted = stream[stream.index(b"x264 - core") :].split(b"\0")[0].decode("ascii", "replace").split()
    for setting in ("sliced_threads=0", "scenecut=0", "open_gop=0", "keyint=60", "rc=crf", "crf=23.0"):
        assert setting in noted, setting
    assert any(setting.startswith("vbv_maxrate=") for setting in noted)
