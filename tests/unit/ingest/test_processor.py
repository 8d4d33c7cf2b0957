"""Facts and refusals of the probe, on files made for the purpose. The whole list of bad input runs in the cage, in
tests/integration/ingest."""

from __future__ import annotations

from pathlib import Path

import pytest

from clipstream.common.contracts.documents import Probe
from clipstream.common.errors import Rejected
from clipstream.ingest.processor import Bounds, probe
from corpus import broken, tiny


def _probe(path: Path, bounds: Bounds | None = None) -> Probe:
    with path.open("rb") as file:
        return probe(file, bounds=bounds or Bounds())


def _case(name: str, directory: Path) -> Probe:
    path = directory / broken.CASES[name].filename
    broken.CASES[name].build(path, broken.Lure())
    return _probe(path)


def test_facts_of_an_ordinary_clip(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    tiny.write(path, duration_s=2, size=(320, 180), options={"g": "15", "x264-params": "scenecut=0"})
    found = _probe(path)
    assert found.media.video is not None
    assert (found.media.video.codec, found.media.video.pixel_format) == ("h264", "yuv420p")
    assert (found.media.video.width, found.media.video.height, found.media.video.rotation) == (320, 180, 0)
    assert found.media.video.frame_rate == 30
    assert not found.media.video.variable_frame_rate
    assert found.media.duration_s == pytest.approx(2, abs=0.03)
    assert found.media.size_bytes == path.stat().st_size
    assert [(track.codec, track.sample_rate, track.channels) for track in found.media.audio] == [("aac", 48000, 2)]
    ticks = found.time_base[1] / found.time_base[0]
    assert [time / ticks for time in found.keyframes] == pytest.approx([0, 0.5, 1, 1.5])
    assert found.present == 1


@pytest.mark.parametrize("ending", [".mp4", ".mkv", ".mov", ".flv", ".avi"])
def test_keyframes_are_presentation_times_in_every_container(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"clip{ending}"
    options = {"g": "15", "x264-params": "scenecut=0"} | ({"bf": "0"} if ending == ".avi" else {})
    tiny.write(path, duration_s=2, audio=None, options=options)
    found = _probe(path)
    ticks = found.time_base[1] / found.time_base[0]
    first = found.keyframes[0] / ticks
    assert [time / ticks - first for time in found.keyframes] == pytest.approx([0, 0.5, 1, 1.5], abs=0.002)
    assert first == pytest.approx(found.start_s, abs=0.002)
    assert found.media.duration_s == pytest.approx(2, abs=0.02)


def test_a_rotated_picture_is_told_as_it_is_shown(tmp_path: Path) -> None:
    video = _case("rotated", tmp_path).media.video
    assert video is not None
    assert (video.width, video.height, video.rotation) == (240, 320, 90)


def test_a_variable_rhythm_is_noticed(tmp_path: Path) -> None:
    video = _case("variable_frame_rate", tmp_path).media.video
    assert video is not None
    assert video.variable_frame_rate


@pytest.mark.parametrize("fps", [24, 30, 60, 144])
@pytest.mark.parametrize("ending", [".mp4", ".mkv"])
def test_an_even_rhythm_is_not_called_variable(fps: int, ending: str, tmp_path: Path) -> None:
    tiny.write(tmp_path / f"even{ending}", fps=fps, size=(64, 48))
    video = _probe(tmp_path / f"even{ending}").media.video
    assert video is not None
    assert not video.variable_frame_rate
    assert video.frame_rate == pytest.approx(fps, rel=0.01)


def test_bit_depth_is_told(tmp_path: Path) -> None:
    video = _case("ten_bit", tmp_path).media.video
    assert video is not None
    assert (video.bit_depth, video.pixel_format) == (10, "yuv420p10le")


def test_sound_alone_is_a_clip(tmp_path: Path) -> None:
    found = _case("mp3", tmp_path)
    assert found.media.video is None
    assert found.keyframes == ()
    assert [track.codec for track in found.media.audio] == ["mp3"]


def test_every_recorded_track_is_told(tmp_path: Path) -> None:
    assert [track.index for track in _case("six_tracks", tmp_path).media.audio] == [1, 2, 3, 4, 5, 6]


def test_what_a_cut_off_file_still_holds_is_its_duration(tmp_path: Path) -> None:
    late = _case("mp4_cut_late", tmp_path)
    assert 0.5 < late.present < 1
    assert late.media.duration_s == pytest.approx(4 * late.present, abs=0.1)
    assert 1 < _case("mkv_cut", tmp_path).media.duration_s < 3.5


@pytest.mark.parametrize(
    ("bounds", "words"),
    [
        (Bounds(max_duration_s=0.4), "too long: 1 s. At most 0 s"),
        (Bounds(min_duration_s=5), "too short: 1.00 s"),
        (Bounds(min_side=300), "too small: 320 × 240"),
        (Bounds(max_pixels=320 * 239), "too large: 320 × 240"),
        (Bounds(max_frame_rate=20), "30 pictures a second"),
        (Bounds(max_tracks=1), "more than 1 tracks"),
    ],
)
def test_bounds_are_kept(bounds: Bounds, words: str, tmp_path: Path) -> None:
    tiny.write(tmp_path / "clip.mp4")
    with pytest.raises(Rejected, match=words):
        _probe(tmp_path / "clip.mp4", bounds)


def test_text_of_a_file_is_made_harmless(tmp_path: Path) -> None:
    import av

    tiny.write(tmp_path / "plain.mkv", size=None)
    with av.open(str(tmp_path / "plain.mkv")) as source, av.open(str(tmp_path / "named.mkv"), "w") as target:
        copied = target.add_stream_from_template(source.streams.audio[0])
        copied.metadata["title"] = "Mic\n\x1b[31m" + "x" * 500
        for packet in source.demux(audio=0):
            if packet.dts is not None:
                packet.stream = copied
                target.mux(packet)
    title = _probe(tmp_path / "named.mkv").media.audio[0].title
    assert title is not None
    assert title.startswith("Mic")
    assert title.isprintable()
    assert len(title) <= 80
