"""Playlists: what players read in them, checked with a parser that is not ours."""

from __future__ import annotations

from pathlib import Path

import m3u8
import pytest

from clipstream.transcode.playlists import Track, bandwidth, master_playlist, media_playlist, target_duration
from clipstream.transcode.segments import Segment


def track(name: str, *segments: tuple[float, int], size: tuple[int, int] = (1280, 720)) -> Track:
    made = tuple(Segment(Path(f"{name}-{n:05d}.m4s"), length, count) for n, (length, count) in enumerate(segments))
    codec = "avc1.64001f" if size[0] else "mp4a.40.2"
    return Track(name, codec, Path(f"{name}-init.mp4"), made, *size, frame_rate=30.0 if size[0] else 0.0)


VIDEO = track("720p", (4.0, 1_000_000), (4.0, 500_000), (1.5, 100_000))
AUDIO = track("audio", (4.01, 64_000), (5.49, 88_000), size=(0, 0))


def test_a_media_playlist_names_every_segment_once() -> None:
    parsed = m3u8.loads(media_playlist(VIDEO, "segments/p/r/"))
    assert [segment.uri for segment in parsed.segments] == [f"segments/p/r/720p-{n:05d}.m4s" for n in range(3)]
    assert [segment.duration for segment in parsed.segments] == [4.0, 4.0, 1.5]
    assert parsed.segment_map[0].uri == "segments/p/r/720p-init.mp4"
    assert parsed.is_endlist
    assert parsed.playlist_type == "vod"
    assert parsed.version == 7
    assert parsed.target_duration == 4


def test_a_variant_says_what_it_needs() -> None:
    parsed = m3u8.loads(master_playlist([VIDEO], AUDIO))
    [variant] = parsed.playlists
    [sound] = parsed.media
    assert variant.uri == "720p.m3u8"
    assert variant.stream_info.codecs == "avc1.64001f,mp4a.40.2"
    assert variant.stream_info.resolution == (1280, 720)
    assert variant.stream_info.frame_rate == 30.0
    assert variant.stream_info.audio == sound.group_id
    assert (sound.uri, sound.type) == ("audio.m3u8", "AUDIO")
    assert parsed.is_independent_segments


def test_pictures_without_sound_name_no_group() -> None:
    text = master_playlist([VIDEO], None)
    assert "AUDIO" not in text
    assert "mp4a" not in text


def test_sound_without_pictures_is_a_variant() -> None:
    [variant] = m3u8.loads(master_playlist([], AUDIO)).playlists
    assert variant.uri == "audio.m3u8"
    assert variant.stream_info.codecs == "mp4a.40.2"
    assert variant.stream_info.resolution is None


def test_bandwidth_is_what_was_measured() -> None:
    assert bandwidth(VIDEO) == (2_000_000, round(8 * 1_600_000 / 9.5 + 0.5))


def test_bandwidth_counts_the_sound_that_is_played_with_it() -> None:
    alone, together = bandwidth(VIDEO), bandwidth(VIDEO, AUDIO)
    assert together[0] - alone[0] == pytest.approx(8 * 88_000 / 5.49, rel=0.01)


def test_a_tiny_last_segment_is_no_peak_of_its_own() -> None:
    peak, average = bandwidth(track("480p", (4.0, 500_000), (0.03, 50_000)))
    assert peak < 1.2 * average


@pytest.mark.parametrize(("length", "target"), [(0.03, 1), (4.004, 4), (4.5, 5)])
def test_no_segment_outlasts_the_target(length: float, target: int) -> None:
    assert target_duration(track("480p", (length, 1000))) == target
