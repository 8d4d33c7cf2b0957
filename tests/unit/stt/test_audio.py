"""Samples keep the clip's timeline, whatever the track's offset, gaps, rate or channels."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from clipstream.common.contracts.media import AudioTrack
from clipstream.stt.audio import SAMPLE_RATE, extract, voice_tracks
from corpus import broken

BEEP_S = 0.5


def recording(path: Path, *, starts_s: float, rate: int = 48_000, layout: str = "stereo", picture: bool = True) -> Path:
    """A file of 3 s whose sound is one beep of half a second at `starts_s`, in a track that begins there."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=10) if picture else None
        sound = container.add_stream("pcm_s16le", rate=rate)
        sound.layout = layout
        if video is not None:
            video.width, video.height, video.pix_fmt = 64, 64, "yuv420p"
            for number in range(30):
                frame = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
                frame.pts, frame.time_base = number, Fraction(1, 10)
                container.mux(video.encode(frame))
            container.mux(video.encode(None))
        t = np.arange(int(rate * BEEP_S)) / rate
        wave = (np.sin(2 * np.pi * 440 * t) * 16_000).astype(np.int16)
        channels = 2 if layout == "stereo" else 1
        beep = av.AudioFrame.from_ndarray(np.repeat(wave, channels)[None, :], format="s16", layout=layout)
        beep.sample_rate, beep.pts, beep.time_base = rate, int(starts_s * rate), Fraction(1, rate)
        container.mux(sound.encode(beep))
        container.mux(sound.encode(None))
    return path


@pytest.mark.parametrize(("rate", "layout"), [(48_000, "stereo"), (22_050, "mono")])
@pytest.mark.parametrize("starts_s", [0.0, 2.0])
def test_a_late_track_begins_with_silence(tmp_path: Path, starts_s: float, rate: int, layout: str) -> None:
    source = recording(tmp_path / "clip.mkv", starts_s=starts_s, rate=rate, layout=layout)
    told: list[float] = []
    with source.open("rb") as media:
        (track,) = extract(media, tracks=[1], out=tmp_path, progress=told.append)
    samples = np.fromfile(tmp_path / track.file, np.float32)
    loud = np.flatnonzero(np.abs(samples) > 0.1) / SAMPLE_RATE
    assert len(samples) == track.samples
    assert loud[0] == pytest.approx(starts_s, abs=0.03)
    assert loud[-1] == pytest.approx(starts_s + BEEP_S, abs=0.03)
    assert told[-1] == 1.0


@pytest.mark.parametrize("name", ["flv_cut", "mkv_cut", "mp4_cut_late"])
def test_a_file_that_breaks_off_is_heard_as_far_as_it_goes(tmp_path: Path, name: str) -> None:
    source = tmp_path / broken.CASES[name].filename
    broken.CASES[name].build(source, broken.Lure())
    with av.open(str(source)) as container:
        sound = [stream.index for stream in container.streams.audio]
    with source.open("rb") as media:
        extracted = extract(media, tracks=sound, out=tmp_path, progress=lambda fraction: None)
    assert all(track.samples > SAMPLE_RATE for track in extracted)


def audio_track(index: int, title: str | None) -> AudioTrack:
    return AudioTrack(index=index, codec="aac", sample_rate=48_000, channels=2, title=title)


@pytest.mark.parametrize(
    ("titles", "chosen"),
    [
        ([], []),
        ([None], [1]),
        (["Mix", "Game"], [1]),
        (["Mix", "Game", "Mic/Aux", "Discord"], [3, 4]),
        (["Game", "voice chat"], [2]),
        (["Microwave", "Dynamic"], [1]),
    ],
)
def test_tracks_with_voices_are_known_by_their_titles(titles: list[str | None], chosen: list[int]) -> None:
    tracks = [audio_track(number, title) for number, title in enumerate(titles, start=1)]
    assert [track.index for track in voice_tracks(tracks)] == chosen
