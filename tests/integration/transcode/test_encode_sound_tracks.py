"""Several sound tracks: each to choose, and their mix. And what becomes of memory and of the cage with them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from clipstream.common.stage.isolate import isolate
from clipstream.common.store.disk.store import DiskStore
from clipstream.transcode.planned import Plan
from clipstream.transcode.sound.part import encode_sound
from corpus.gamesound import render_sound
from integration.transcode.recorded import RATE, Recorded, clicks, found, level, record, tone
from integration.transcode.sounding import made
from integration.transcode.whole import planned


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


def test_a_truncated_file_is_heard_as_far_as_it_goes(tmp_path: Path) -> None:
    source = record(tmp_path / "clip.mkv", *(Recorded(tone(f, 4)) for f in (400, 700)), picture_s=4)
    plan = planned(source)
    body = source.read_bytes()
    source.write_bytes(body[: len(body) * 6 // 10])
    result = made(source, plan)
    assert [track.name for track in result.tracks] == ["audio-mix", "audio-1", "audio-2"]
    assert all(1.5 < track.duration_s < 3.5 for track in result.tracks)


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
from clipstream.transcode.sound.part import encode_sound
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
