"""All sound of a clip as one part: written with real encoders, made, put together and decoded as a player does."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from clipstream.common.stage.isolate import isolate
from clipstream.common.store.disk.store import DiskStore
from clipstream.transcode.made import Segment, SourceCopy, Track
from clipstream.transcode.planned import Plan
from clipstream.transcode.soundpart import encode_sound
from corpus.gamesound import render_sound
from integration.transcode import played
from integration.transcode.recorded import RATE, Recorded, Sound, clicks, found, level, planar, record, tone
from integration.transcode.whole import planned


@dataclass(frozen=True)
class Made:
    tracks: tuple[Track, ...]
    directory: Path
    emitted: list[Path]
    told: list[float]

    def sound(self, number: int = 0) -> Sound:
        return played.samples(self.tracks[number], self.directory)


def made(source: Path, plan: Plan | None = None) -> Made:
    directory = source.parent / f"{source.name}-out"
    directory.mkdir()
    emitted: list[Path] = []
    told: list[float] = []

    def emit(file: Path) -> None:
        assert (directory / file).stat().st_size
        emitted.append(file)

    with source.open("rb") as media:
        part = encode_sound(media, scratch=directory, plan=plan or planned(source), emit=emit, progress=told.append)
    return Made(part.tracks, directory, emitted, told)


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


def test_three_tracks_stay_selectable_beside_their_mix(tmp_path: Path) -> None:
    hertz = (400, 900, 1500)
    source = record(
        tmp_path / "clip.mkv",
        *(Recorded(tone(f, 2), title=title) for f, title in zip(hertz, ("Game", "Mic", "Mic"), strict=True)),
    )
    result = made(source)
    assert [track.name for track in result.tracks] == ["audio-mix", "audio-1", "audio-2", "audio-3"]
    assert [track.title for track in result.tracks] == ["Mix", "Game", "Mic", "Mic"]
    assert [track.default for track in result.tracks] == [True, False, False, False]
    held = [[level(result.sound(number), f) > 0.1 for f in hertz] for number in range(4)]
    assert held == [[True, True, True], [True, False, False], [False, True, False], [False, False, True]]
    files = {file.name for file in result.emitted}
    assert files == {f.name for t in result.tracks for f in (t.init_file, *(s.file for s in t.segments))}


def test_offsets_between_tracks_are_kept(tmp_path: Path) -> None:
    source = record(
        tmp_path / "clip.mkv",
        Recorded(clicks(0.4, length_s=2)),
        Recorded(clicks(0.5, length_s=1.3), start_s=0.7),
    )
    result = made(source)
    assert found(result.sound(1), 0.4) == pytest.approx(0.4, abs=0.001)
    assert found(result.sound(2), 1.2) == pytest.approx(1.2, abs=0.001)
    assert np.abs(result.sound(2)[:, : round(0.65 * RATE)]).max() < 1e-3
    assert [found(result.sound(0), at) for at in (0.4, 1.2)] == pytest.approx([0.4, 1.2], abs=0.001)


@pytest.mark.parametrize("bit_rate", [96_000, 160_000])
def test_a_recorders_own_mix_is_not_mixed_again(tmp_path: Path, bit_rate: int) -> None:
    """Coded with loss, and without titles: only the sound tells."""
    game = render_sound(1, 4)
    voice = render_sound(2, 4) * 0.6
    voice[:, : 2 * RATE] = 0
    source = tmp_path / "clip.mp4"
    lossy = [Recorded(sound, codec="aac", bit_rate=bit_rate) for sound in (game + voice, game, voice)]
    record(source, *lossy, picture_s=4)
    result = made(source)
    assert [track.name for track in result.tracks] == ["audio-mix", "audio-1", "audio-2"]
    mix = result.sound(0)
    count = min(mix.shape[1], game.shape[1])
    loud = float(np.sqrt(np.mean(mix[:, 2 * RATE : count] ** 2) / np.mean((game + voice)[:, 2 * RATE : count] ** 2)))
    assert loud == pytest.approx(1.0, abs=0.2)
    assert {path.name for path in result.directory.iterdir()} == {file.name for file in result.emitted}


def test_copies_and_silent_tracks_are_no_choice(tmp_path: Path) -> None:
    game = tone(400, 2)
    source = record(tmp_path / "clip.mkv", *(Recorded(sound) for sound in (game, game, 0 * game)))
    result = made(source)
    assert [track.name for track in result.tracks] == ["audio"]
    assert level(result.sound(), 400) == pytest.approx(0.2, abs=0.02)
    assert {file.name.partition("-")[0] for file in result.emitted} == {"audio"}


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


def test_a_truncated_file_is_heard_as_far_as_it_goes(tmp_path: Path) -> None:
    source = record(tmp_path / "clip.mkv", *(Recorded(tone(f, 4)) for f in (400, 700)), picture_s=4)
    plan = planned(source)
    body = source.read_bytes()
    source.write_bytes(body[: len(body) * 6 // 10])
    result = made(source, plan)
    assert [track.name for track in result.tracks] == ["audio-mix", "audio-1", "audio-2"]
    assert all(1.5 < track.duration_s < 3.5 for track in result.tracks)


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


async def test_it_works_in_the_cage(tmp_path: Path) -> None:
    """Where filters, threads and new names for files are what the kernel lets pass; files reach the parent in order."""
    source = record(tmp_path / "clip.mkv", *(Recorded(tone(f, 5)) for f in (400, 700)), picture_s=5)
    plan, store, scratch = planned(source), DiskStore(tmp_path / "store", "clipstream", None), tmp_path / "scratch"
    scratch.mkdir()
    await store.put_file(plan.source_key, source, content_type="video/x-matroska")
    taken: list[tuple[str, int]] = []

    async def take(file: Path) -> None:
        taken.append((file.name, file.stat().st_size))

    part = await isolate(encode_sound, store=store, source=plan.source_key, scratch=scratch, take=take, plan=plan)
    assert [track.name for track in part.tracks] == ["audio-mix", "audio-1", "audio-2"]
    sizes = dict(taken)
    assert {s.file.name: s.size_bytes for track in part.tracks for s in track.segments}.items() <= sizes.items()
    assert {track.init_file.name for track in part.tracks} <= sizes.keys()
    assert list(scratch.iterdir()) == []


_CHILD = """
import json, re, sys
from pathlib import Path
from clipstream.transcode.planned import Plan
from clipstream.transcode.soundpart import encode_sound
def most():  # not getrusage, which remembers the parent's
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
before, plan, scratch = most(), Plan.model_validate_json(Path(sys.argv[2]).read_text()), Path(sys.argv[3])
with open(sys.argv[1], "rb") as media:
    part = encode_sound(media, scratch=scratch, plan=plan, emit=lambda file: None, progress=lambda _: None)
print(json.dumps([(most() - before) // 1024, [track.duration_s for track in part.tracks]]))
"""


def grown(source: Path, plan: Plan) -> tuple[int, Sequence[float]]:
    """MiB that a process of its own needed for the work, and how long the tracks became."""
    scratch = source.parent / "child"
    scratch.mkdir()
    told = source.parent / "plan.json"
    told.write_text(plan.model_dump_json())
    command = [sys.executable, "-c", _CHILD, str(source), str(told), str(scratch)]
    output = subprocess.run(command, check=True, capture_output=True, text=True)
    mebibytes, lengths = json.loads(output.stdout)
    return int(mebibytes), lengths


def test_memory_does_not_grow_with_the_clip(tmp_path: Path) -> None:
    """All of it decoded would be 92 MB a track (460 MB of twenty minutes). The second track begins when nearly all is over:
    to mix them in step the first would have to be kept."""
    source = tmp_path / "long.mkv"
    length_s = 240
    with av.open(str(source), "w") as output:
        streams = [output.add_stream("flac", rate=8_000) for _ in range(2)]
        for stream in streams:
            stream.layout = "mono"
        for stream, since in zip(streams, (0, length_s - 20), strict=True):
            for second in range(since, length_s):
                quiet = np.zeros((1, 8_000), np.int16)
                if second % (13 + since % 7) == 0:
                    quiet[0, 100 + since : 900 + since] = 5_000
                frame = av.AudioFrame.from_ndarray(quiet, format="s16", layout="mono")
                frame.sample_rate, frame.time_base, frame.pts = 8_000, Fraction(1, 8_000), second * 8_000
                output.mux(stream.encode(frame))
            output.mux(stream.encode(None))
    mebibytes, lengths = grown(source, planned(source, max_duration_s=2000))
    assert lengths == pytest.approx([length_s] * 3, abs=0.1)
    assert mebibytes < 60
