"""All sound of a clip as one part: written with real encoders, made, put together and decoded as a player does."""

from __future__ import annotations

import io
from pathlib import Path

import av
import numpy as np
import pytest

from clipstream.transcode.made import Segment, SourceCopy, Track
from clipstream.transcode.sound.part import encode_sound
from integration.transcode.recorded import RATE, Recorded, clicks, found, planar, record, tone
from integration.transcode.sounding import made
from integration.transcode.whole import planned


@pytest.mark.parametrize(
    ("suffix", "codec"),
    [
        (".mp4", "aac"),
        (".mkv", "aac"),
        (".mov", "pcm_s16le"),
        (".flv", "aac"),
        (".mkv", "libopus"),
        (".avi", "libmp3lame"),
    ],
)
def test_a_click_stays_where_it_is(tmp_path: Path, suffix: str, codec: str) -> None:
    """Within a millisecond, whatever codec and container do about an encoder's priming."""
    source = record(tmp_path / f"clip{suffix}", Recorded(clicks(0.5, 1.7, length_s=2), codec=codec))
    result = made(source)
    assert [track.name for track in result.tracks] == ["audio"]
    first = found(result.sound(), 0.5)
    with av.open(str(source)) as container:
        shown_s = next(container.decode(video=0)).time or 0.0
    with av.open(str(source)) as container:
        before = list(container.decode(audio=0))
    heard_s = (before[0].time or 0.0) - shown_s
    expected = heard_s + found(np.concatenate([planar(frame) for frame in before], axis=1), 0.5 - heard_s)
    assert first == pytest.approx(expected, abs=0.001)
    assert first == pytest.approx(0.5, abs=0.05 if suffix in (".flv", ".avi") else 0.001)  # these leave priming in
    assert found(result.sound(), 1.7) - first == pytest.approx(1.2, abs=0.001)


def test_what_is_made_is_described(tmp_path: Path) -> None:
    result = made(record(tmp_path / "clip.mp4", Recorded(tone(440, 9), title="Game"), picture_s=9))
    (track,) = result.tracks
    assert (track.kind, track.codec, track.timescale, track.channels, track.sample_rate) == (
        "audio",
        "mp4a.40.2",
        48_000,
        2,
        48_000,
    )
    assert track.default
    assert result.emitted == [track.init_file, *(segment.file for segment in track.segments)]
    assert [segment.file.name for segment in track.segments] == [f"audio-0000{n}.m4s" for n in range(3)]
    assert [segment.start / RATE for segment in track.segments] == pytest.approx([0, 4, 8], abs=0.5)
    assert result.told == sorted(result.told)
    assert result.told[-1] == 1.0
    assert len(result.told) > 10


def test_segments_follow_a_copied_picture(tmp_path: Path) -> None:
    source = record(tmp_path / "clip.mp4", Recorded(tone(440, 9)), picture_s=9)
    starts = (0.0, 2.5, 4.1667, 8.3333)
    video = Track(
        name="source",
        kind="video",
        codec="avc1.64001f",
        timescale=90_000,
        init_file=Path("i"),
        segments=tuple(Segment(file=Path("s"), start=round(s * 90_000), duration=1, size_bytes=1) for s in starts),
    )
    plan = planned(source).model_copy(update={"source": SourceCopy(verdict="yes", video=video, ladder=True)})
    (track,) = made(source, plan).tracks
    assert [segment.start / RATE for segment in track.segments] == pytest.approx(starts, abs=0.5)
    assert sum(segment.duration for segment in track.segments) / RATE == pytest.approx(9, abs=0.05)


@pytest.mark.parametrize(
    ("layout", "channels", "rate"),
    [("mono", 1, 22_050), ("mono", 1, 48_000), ("stereo", 2, 44_100), ("5.1", 6, 48_000), ("stereo", 2, 8_000)],
)
def test_every_layout_and_rate_becomes_stereo(tmp_path: Path, layout: str, channels: int, rate: int) -> None:
    sound = clicks(0.5, 1.5, length_s=2, rate=rate, channels=channels)
    result = made(record(tmp_path / "clip.mp4", Recorded(sound, rate=rate, layout=layout))).sound()
    assert result.shape[0] == 2
    for side in (result, result[::-1]):
        assert found(side, 0.5) == pytest.approx(0.5, abs=0.001)
        assert found(side, 1.5) == pytest.approx(1.5, abs=0.001)
    assert 0.5 < np.abs(result).max() <= 1.05  # AAC may overshoot what it was given


def test_the_picture_is_not_read_where_an_index_says_what_is_whose(tmp_path: Path) -> None:
    source = record(tmp_path / "clip.mp4", Recorded(tone(400, 2)), busy=True)
    with _Counted(source) as media:
        encode_sound(media, scratch=tmp_path, plan=planned(source), emit=lambda _: None, progress=lambda _: None)
    assert media.moved < source.stat().st_size / 2


class _Counted(io.FileIO):
    """A file that knows how many of its bytes were read."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.moved = 0

    def read(self, size: int | None = -1) -> bytes:
        body = super().read(size)
        self.moved += len(body)
        return body


def test_a_hole_in_the_middle_is_silence(tmp_path: Path) -> None:
    sound = clicks(0.5, 5.5, length_s=6)
    result = made(record(tmp_path / "clip.mkv", Recorded(sound, holes=((1.0, 5.0),)), picture_s=6)).sound()
    assert found(result, 5.5) == pytest.approx(5.5, abs=0.001)
    assert np.abs(result[:, round(1.1 * RATE) : round(4.9 * RATE)]).max() < 1e-4


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_a_moment_of_sound_before_the_first_picture_is_left_out(tmp_path: Path, suffix: str) -> None:
    source = record(tmp_path / f"clip{suffix}", Recorded(clicks(0.6, length_s=2), start_s=-0.05))
    assert found(made(source).sound(), 0.55) == pytest.approx(0.55, abs=0.0015)


def test_sound_that_leads_begins_the_clip(tmp_path: Path) -> None:
    """Negative times: the first picture comes half a second after the sound, as the plan says."""
    source = record(tmp_path / "clip.mkv", Recorded(clicks(0.6, length_s=2)))
    plan = planned(source)
    led = made(source, plan.model_copy(update={"origin_s": plan.origin_s - 0.5}))
    assert found(led.sound(), 1.1) == pytest.approx(1.1, abs=0.001)
    late = tmp_path / "late"
    late.mkdir()
    source = source.rename(late / source.name)
    cut = made(source, plan.model_copy(update={"origin_s": plan.origin_s + 0.35}))
    assert found(cut.sound(), 0.25) == pytest.approx(0.25, abs=0.001)


def test_a_change_of_rate_midway_is_followed(tmp_path: Path) -> None:
    """Two ADTS streams, one behind the other: AAC at 44.1 kHz and then at 48."""
    parts = []
    for number, rate in enumerate((44_100, 48_000)):
        part = record(tmp_path / f"{number}.aac", Recorded(clicks(0.5, length_s=1, rate=rate), rate=rate), picture_s=0)
        parts.append(part.read_bytes())
    source = tmp_path / "clip.aac"
    source.write_bytes(b"".join(parts))
    result = made(source, planned(source)).sound()
    first = found(result, 0.52)
    assert first == pytest.approx(0.5 + 1024 / 44_100, abs=0.002)  # ADTS cannot edit priming away
    second = first + found(result[:, round(first * RATE) :], 1.03)
    assert second - first == pytest.approx(1.02, abs=0.03)
    assert result.shape[1] / RATE == pytest.approx(2.07, abs=0.05)


def test_damaged_packets_move_nothing_behind_them(tmp_path: Path) -> None:
    source = record(tmp_path / "clip.mkv", Recorded(clicks(0.5, 4.5, length_s=5), codec="aac"), picture_s=5)
    with av.open(str(source)) as container:
        spans = [(p.pos, p.size) for p in container.demux(audio=0) if p.pos and p.size]
    body = bytearray(source.read_bytes())
    for place, size in spans[60:64]:
        body[place + 8 : place + size] = bytes(0xFF ^ byte for byte in body[place + 8 : place + size])
    source.write_bytes(body)
    result = made(source).sound()
    assert found(result, 0.5) == pytest.approx(0.5, abs=0.001)
    assert found(result, 4.5) == pytest.approx(4.5, abs=0.016)


def test_it_ends_with_the_longest_clip(tmp_path: Path) -> None:
    source = record(tmp_path / "clip.flac", Recorded(tone(400, 6)), picture_s=0)
    plan = planned(source).model_copy(update={"max_duration_s": 3.0})
    assert made(source, plan).sound().shape[1] / RATE == pytest.approx(3.0, abs=0.03)


def test_nothing_is_made_where_nothing_is_wanted_or_there(tmp_path: Path) -> None:
    source = record(tmp_path / "clip.mp4", Recorded(tone(400, 1)))
    plan = planned(source)
    unwanted = made(source, plan.model_copy(update={"sound": False}))
    mute = record(tmp_path / "mute.mp4")
    nothing = made(mute)
    assert (unwanted.tracks, unwanted.emitted, nothing.tracks, nothing.emitted) == ((), [], (), [])
    gone = made(record(tmp_path / "gone.mp4"), plan)
    assert gone.tracks == ()
